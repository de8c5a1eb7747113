# A leader is elected by durable votes and commits an empty entry of its own term at once.
found a b c
tick a
settle
show
----
> found a b c
> tick a
  a: to b, term 2: would you vote for me? log 1.1
  a: to c, term 2: would you vote for me? log 1.1
> settle
  b: to a, term 2: I would
  c: to a, term 2: I would
  a: write 1: term 2 vote a
  a: to b, term 2: vote for me, log 1.1
  a: to c, term 2: vote for me, log 1.1
  b: write 1: term 2 vote a
  b: to a, term 2: my vote
  c: write 1: term 2 vote a
  c: to a, term 2: my vote
  a: leader a, term 2
  a: appended 2.2 empty
  a: to b, term 2: after 1.1 add 2.2 empty, commit 1
  a: to c, term 2: after 1.1 add 2.2 empty, commit 1
  a: write 2: 2.2 empty
  b: leader a, term 2
  b: appended 2.2 empty
  b: write 2: 2.2 empty
  b: to a, term 2: agreed 2, durable 2
  c: leader a, term 2
  c: appended 2.2 empty
  c: write 2: 2.2 empty
  c: to a, term 2: agreed 2, durable 2
  a: committed 2.2 empty
  a: to b, term 2: after 2.2, commit 2
  a: to c, term 2: after 2.2, commit 2
  b: committed 2.2 empty
  b: to a, term 2: agreed 2, durable 2
  c: committed 2.2 empty
  c: to a, term 2: agreed 2, durable 2
> show
  a: leader term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
  b: follower term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
  c: follower term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
