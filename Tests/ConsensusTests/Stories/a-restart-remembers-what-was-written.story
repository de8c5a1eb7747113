# After a restart term, vote and log are as written; what is committed is learnt again.
quiet
found a b c
tick a
settle
propose a one
settle
propose a two
crash a
loud
show
start a
show
await a
tick a
settle
show
----
> quiet
> loud
> show
  a: crashed
  b: follower term 2, leader a, log 2...2.3, durable 3, commit 3, members a,b,c
  c: follower term 2, leader a, log 2...2.3, durable 3, commit 3, members a,b,c
> start a
> show
  a: follower term 2, leader unknown, log 2...2.3, durable 3, commit 1, members a,b,c
  b: follower term 2, leader a, log 2...2.3, durable 3, commit 3, members a,b,c
  c: follower term 2, leader a, log 2...2.3, durable 3, commit 3, members a,b,c
> await a
> tick a
  a: to b, term 3: would you vote for me? log 2.3
  a: to c, term 3: would you vote for me? log 2.3
> settle
  b: to a, term 3: I would
  c: to a, term 3: I would
  a: write 1: term 3 vote a
  a: to b, term 3: vote for me, log 2.3
  a: to c, term 3: vote for me, log 2.3
  b: leader unknown, term 3
  b: write 4: term 3 vote a
  b: to a, term 3: my vote
  c: leader unknown, term 3
  c: write 4: term 3 vote a
  c: to a, term 3: my vote
  a: leader a, term 3
  a: appended 3.4 empty
  a: to b, term 3: after 2.3 add 3.4 empty, commit 1
  a: to c, term 3: after 2.3 add 3.4 empty, commit 1
  a: write 2: 3.4 empty
  b: leader a, term 3
  b: appended 3.4 empty
  b: write 5: 3.4 empty
  b: to a, term 3: agreed 4, durable 4
  c: leader a, term 3
  c: appended 3.4 empty
  c: write 5: 3.4 empty
  c: to a, term 3: agreed 4, durable 4
  a: committed 2.2 empty, 2.3 "one", 3.4 empty
  a: to b, term 3: after 3.4, commit 4
  a: to c, term 3: after 3.4, commit 4
  b: committed 3.4 empty
  b: to a, term 3: agreed 4, durable 4
  c: committed 3.4 empty
  c: to a, term 3: agreed 4, durable 4
> show
  a: leader term 3, leader a, log 2...3.4, durable 4, commit 4, members a,b,c
  b: follower term 3, leader a, log 2...3.4, durable 4, commit 4, members a,b,c
  c: follower term 3, leader a, log 2...3.4, durable 4, commit 4, members a,b,c
