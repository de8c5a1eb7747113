# A member that was cut off asks in vain for votes, its term stays, and its return changes nothing.
quiet
found a b c
tick a
settle
cut c
run 1000
await c
loud
show
heal c
tick c
settle
show
run 60
show
----
> quiet
> loud
> show
  a: leader term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
  b: follower term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
  c: preCandidate term 2, leader unknown, log 2...2.2, durable 2, commit 2, members a,b,c
> heal c
> tick c
  c: to a, term 3: would you vote for me? log 2.2
  c: to b, term 3: would you vote for me? log 2.2
> settle
  a: to c, term 2: I would not
  b: to c, term 2: I would not
> show
  a: leader term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
  b: follower term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
  c: preCandidate term 2, leader unknown, log 2...2.2, durable 2, commit 2, members a,b,c
> run 60
  a: to b, term 2: after 2.2, commit 2
  a: to c, term 2: after 2.2, commit 2
  b: to a, term 2: agreed 2, durable 2
  c: leader a, term 2
  c: to a, term 2: agreed 2, durable 2
> show
  a: leader term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
  b: follower term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
  c: follower term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
