# Entries count only when written; heartbeats are answered at once with what is durable.
quiet
found a b c
tick a
settle
cut c
slow b
loud
propose a x
settle
tick a
settle
show
write b
settle
show
----
> quiet
> loud
> propose a x
  a: proposed 2.3
  a: appended 2.3 "x"
  a: to b, term 2: after 2.2 add 2.3 "x", commit 2
  a: to c, term 2: after 2.2 add 2.3 "x", commit 2
  a: write 3: 2.3 "x"
> settle
  b: appended 2.3 "x"
  b: write 3: 2.3 "x"
> tick a
  a: to b, term 2: after 2.3, commit 2
  a: to c, term 2: after 2.3, commit 2
> settle
  b: to a, term 2: agreed 3, durable 2
> show
  a: leader term 2, leader a, log 2...2.3, durable 3, commit 2, members a,b,c
  b: follower term 2, leader a, log 2...2.3, durable 2, commit 2, members a,b,c
  c: follower term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
> write b
  b: to a, term 2: agreed 3, durable 3
> settle
  a: committed 2.3 "x"
  a: to b, term 2: after 2.3, commit 3
  a: to c, term 2: after 2.3, commit 3
  b: committed 2.3 "x"
  b: to a, term 2: agreed 3, durable 3
> show
  a: leader term 2, leader a, log 2...2.3, durable 3, commit 3, members a,b,c
  b: follower term 2, leader a, log 2...2.3, durable 3, commit 3, members a,b,c
  c: follower term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
