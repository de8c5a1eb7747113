# A removed voter is told, never campaigns, and the others go on without it.
quiet
found a b c
tick a
settle
loud
change a a,b
settle
tick c
tick c
settle
show
----
> quiet
> loud
> change a a,b
  a: proposed 2.3
  a: appended 2.3 members a,b
  a: to b, term 2: after 2.2 add 2.3 members a,b, commit 2
  a: to c, term 2: after 2.2 add 2.3 members a,b, commit 2
  a: write 3: 2.3 members a,b
> settle
  b: appended 2.3 members a,b
  b: write 3: 2.3 members a,b
  b: to a, term 2: agreed 3, durable 3
  c: appended 2.3 members a,b
  c: write 3: 2.3 members a,b
  c: to a, term 2: agreed 3, durable 3
  a: committed 2.3 members a,b
  a: to b, term 2: after 2.3, commit 3
  a: to c, term 2: after 2.3, commit 3
  b: committed 2.3 members a,b
  b: to a, term 2: agreed 3, durable 3
  c: committed 2.3 members a,b
  c: to a, term 2: agreed 3, durable 3
> tick c
  c: leader unknown, term 2
> tick c
> settle
> show
  a: leader term 2, leader a, log 2...2.3, durable 3, commit 3, members a,b
  b: follower term 2, leader a, log 2...2.3, durable 3, commit 3, members a,b
  c: follower term 2, leader unknown, log 2...2.3, durable 3, commit 3, members a,b
