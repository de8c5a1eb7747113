# Appends lost on the way are found missing by the next heartbeat and sent again.
quiet
found a b c
tick a
settle
cut c
loud
propose a one
lose a b
propose a two
lose a b
show
tick a
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
> lose a b
> propose a two
  a: proposed 2.4
  a: appended 2.4 "two"
  a: to b, term 2: after 2.3 add 2.4 "two", commit 2
  a: to c, term 2: after 2.3 add 2.4 "two", commit 2
  a: write 4: 2.4 "two"
> lose a b
> show
  a: leader term 2, leader a, log 2...2.4, durable 2, commit 2, members a,b,c
  b: follower term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
  c: follower term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
> tick a
  a: to b, term 2: after 2.4, commit 2
  a: to c, term 2: after 2.4, commit 2
> settle
  b: to a, term 2: no 4 here, try 2.2
  a: to b, term 2: after 2.2 add 2.3 "one", 2.4 "two", commit 2
  b: appended 2.3 "one", 2.4 "two"
  b: write 3: 2.3 "one", 2.4 "two"
  b: to a, term 2: agreed 4, durable 4
  a: committed 2.3 "one", 2.4 "two"
  a: to b, term 2: after 2.4, commit 4
  a: to c, term 2: after 2.4, commit 4
  b: committed 2.3 "one", 2.4 "two"
  b: to a, term 2: agreed 4, durable 4
> show
  a: leader term 2, leader a, log 2...2.4, durable 4, commit 4, members a,b,c
  b: follower term 2, leader a, log 2...2.4, durable 4, commit 4, members a,b,c
  c: follower term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
