# To a member that does not answer, two appends are under way at most; the others wait for its replies.
quiet
found a b c
tick a
settle
cut c
loud
propose a one
propose a two
propose a three
propose a four
propose a five
propose a six
propose a seven
propose a eight
propose a nine
deliver a b 1
settle
show
----
> quiet
> loud
> propose a one
  a: proposed 2.3
  a: appended 2.3 "one"
  a: to b, term 2: after 2.2 add 2.3 "one", commit 2
  a: to c, term 2: after 2.2 add 2.3 "one", commit 2
  a: write 3: 2.3 "one"
> propose a two
  a: proposed 2.4
  a: appended 2.4 "two"
  a: to b, term 2: after 2.3 add 2.4 "two", commit 2
  a: to c, term 2: after 2.3 add 2.4 "two", commit 2
  a: write 4: 2.4 "two"
> propose a three
  a: proposed 2.5
  a: appended 2.5 "three"
  a: write 5: 2.5 "three"
> propose a four
  a: proposed 2.6
  a: appended 2.6 "four"
  a: write 6: 2.6 "four"
> propose a five
  a: proposed 2.7
  a: appended 2.7 "five"
  a: write 7: 2.7 "five"
> propose a six
  a: proposed 2.8
  a: appended 2.8 "six"
  a: write 8: 2.8 "six"
> propose a seven
  a: proposed 2.9
  a: appended 2.9 "seven"
  a: write 9: 2.9 "seven"
> propose a eight
  a: proposed 2.10
  a: appended 2.10 "eight"
  a: write 10: 2.10 "eight"
> propose a nine
  a: refused: too many uncommitted
> deliver a b 1
  b: appended 2.3 "one"
  b: write 3: 2.3 "one"
> settle
  b: to a, term 2: agreed 3, durable 3
  b: appended 2.4 "two"
  b: write 4: 2.4 "two"
  b: to a, term 2: agreed 4, durable 4
  a: committed 2.3 "one"
  a: to b, term 2: after 2.4 add 2.5 "three", 2.6 "four", commit 3
  a: to c, term 2: after 2.4, commit 3
  a: committed 2.4 "two"
  a: to b, term 2: after 2.6 add 2.7 "five", 2.8 "six", commit 4
  a: to c, term 2: after 2.4, commit 4
  b: appended 2.5 "three", 2.6 "four"
  b: committed 2.3 "one"
  b: write 5: 2.5 "three", 2.6 "four"
  b: to a, term 2: agreed 6, durable 6
  b: appended 2.7 "five", 2.8 "six"
  b: committed 2.4 "two"
  b: write 6: 2.7 "five", 2.8 "six"
  b: to a, term 2: agreed 8, durable 8
  a: committed 2.5 "three", 2.6 "four"
  a: to b, term 2: after 2.8 add 2.9 "seven", 2.10 "eight", commit 6
  a: to c, term 2: after 2.4, commit 6
  a: committed 2.7 "five", 2.8 "six"
  a: to b, term 2: after 2.10, commit 8
  a: to c, term 2: after 2.4, commit 8
  b: appended 2.9 "seven", 2.10 "eight"
  b: committed 2.5 "three", 2.6 "four"
  b: write 7: 2.9 "seven", 2.10 "eight"
  b: to a, term 2: agreed 10, durable 10
  b: committed 2.7 "five", 2.8 "six"
  b: to a, term 2: agreed 10, durable 10
  a: committed 2.9 "seven", 2.10 "eight"
  a: to b, term 2: after 2.10, commit 10
  a: to c, term 2: after 2.4, commit 10
  b: committed 2.9 "seven", 2.10 "eight"
  b: to a, term 2: agreed 10, durable 10
> show
  a: leader term 2, leader a, log 2...2.10, durable 10, commit 10, members a,b,c
  b: follower term 2, leader a, log 2...2.10, durable 10, commit 10, members a,b,c
  c: follower term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
