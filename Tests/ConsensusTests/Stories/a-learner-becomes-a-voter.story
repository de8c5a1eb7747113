# A learner neither votes nor counts; promoted, it does both.
quiet
found a b
join c
tick a
settle
change a a,b c
settle
cut b
loud
propose a alone
settle
show
heal b
run 60
show
change a a,b,c
settle
cut b
propose a together
settle
show
----
> quiet
> loud
> propose a alone
  a: proposed 2.4
  a: appended 2.4 "alone"
  a: to b, term 2: after 2.3 add 2.4 "alone", commit 3
  a: to c, term 2: after 2.3 add 2.4 "alone", commit 3
  a: write 4: 2.4 "alone"
> settle
  c: appended 2.4 "alone"
  c: write 4: 2.4 "alone"
  c: to a, term 2: agreed 4, durable 4
> show
  a: leader term 2, leader a, log 2...2.4, durable 4, commit 3, members a,b learning c
  b: follower term 2, leader a, log 2...2.3, durable 3, commit 3, members a,b learning c
  c: follower term 2, leader a, log 2...2.4, durable 4, commit 3, members a,b learning c
> heal b
> run 60
  a: to b, term 2: after 2.4, commit 3
  a: to c, term 2: after 2.4, commit 3
  b: to a, term 2: no 4 here, try 2.3
  c: to a, term 2: agreed 4, durable 4
  a: to b, term 2: after 2.3 add 2.4 "alone", commit 3
  b: appended 2.4 "alone"
  b: write 4: 2.4 "alone"
  b: to a, term 2: agreed 4, durable 4
  a: committed 2.4 "alone"
  a: to b, term 2: after 2.4, commit 4
  a: to c, term 2: after 2.4, commit 4
  b: committed 2.4 "alone"
  b: to a, term 2: agreed 4, durable 4
  c: committed 2.4 "alone"
  c: to a, term 2: agreed 4, durable 4
> show
  a: leader term 2, leader a, log 2...2.4, durable 4, commit 4, members a,b learning c
  b: follower term 2, leader a, log 2...2.4, durable 4, commit 4, members a,b learning c
  c: follower term 2, leader a, log 2...2.4, durable 4, commit 4, members a,b learning c
> change a a,b,c
  a: proposed 2.5
  a: appended 2.5 members a,b,c
  a: to b, term 2: after 2.4 add 2.5 members a,b,c, commit 4
  a: to c, term 2: after 2.4 add 2.5 members a,b,c, commit 4
  a: write 5: 2.5 members a,b,c
> settle
  b: appended 2.5 members a,b,c
  b: write 5: 2.5 members a,b,c
  b: to a, term 2: agreed 5, durable 5
  c: appended 2.5 members a,b,c
  c: write 5: 2.5 members a,b,c
  c: to a, term 2: agreed 5, durable 5
  a: committed 2.5 members a,b,c
  a: to b, term 2: after 2.5, commit 5
  a: to c, term 2: after 2.5, commit 5
  b: committed 2.5 members a,b,c
  b: to a, term 2: agreed 5, durable 5
  c: committed 2.5 members a,b,c
  c: to a, term 2: agreed 5, durable 5
> cut b
> propose a together
  a: proposed 2.6
  a: appended 2.6 "together"
  a: to b, term 2: after 2.5 add 2.6 "together", commit 5
  a: to c, term 2: after 2.5 add 2.6 "together", commit 5
  a: write 6: 2.6 "together"
> settle
  c: appended 2.6 "together"
  c: write 6: 2.6 "together"
  c: to a, term 2: agreed 6, durable 6
  a: committed 2.6 "together"
  a: to b, term 2: after 2.6, commit 6
  a: to c, term 2: after 2.6, commit 6
  c: committed 2.6 "together"
  c: to a, term 2: agreed 6, durable 6
> show
  a: leader term 2, leader a, log 2...2.6, durable 6, commit 6, members a,b,c
  b: follower term 2, leader a, log 2...2.5, durable 5, commit 5, members a,b,c
  c: follower term 2, leader a, log 2...2.6, durable 6, commit 6, members a,b,c
