# A majority lives after all: the candidate gets a majority of all votes and leads without giving anybody up.
quiet
found a b c d e
loud
recover a a,b,c,d
settle
show
----
> quiet
> loud
> recover a a,b,c,d
  a: write 1: term 1001680 vote a
> settle
  a: to b, term 1001680: vote for me, log 1.1
  a: to c, term 1001680: vote for me, log 1.1
  a: to d, term 1001680: vote for me, log 1.1
  a: to e, term 1001680: vote for me, log 1.1
  b: write 1: term 1001680 vote a
  b: to a, term 1001680: my vote
  c: write 1: term 1001680 vote a
  c: to a, term 1001680: my vote
  d: write 1: term 1001680 vote a
  d: to a, term 1001680: my vote
  e: write 1: term 1001680 vote a
  e: to a, term 1001680: my vote
  a: leader a, term 1001680
  a: recovery failed without 
  a: appended 1001680.2 empty
  a: to b, term 1001680: after 1.1 add 1001680.2 empty, commit 1
  a: to c, term 1001680: after 1.1 add 1001680.2 empty, commit 1
  a: to d, term 1001680: after 1.1 add 1001680.2 empty, commit 1
  a: to e, term 1001680: after 1.1 add 1001680.2 empty, commit 1
  a: write 2: 1001680.2 empty
  b: leader a, term 1001680
  b: appended 1001680.2 empty
  b: write 2: 1001680.2 empty
  b: to a, term 1001680: agreed 2, durable 2
  c: leader a, term 1001680
  c: appended 1001680.2 empty
  c: write 2: 1001680.2 empty
  c: to a, term 1001680: agreed 2, durable 2
  d: leader a, term 1001680
  d: appended 1001680.2 empty
  d: write 2: 1001680.2 empty
  d: to a, term 1001680: agreed 2, durable 2
  e: leader a, term 1001680
  e: appended 1001680.2 empty
  e: write 2: 1001680.2 empty
  e: to a, term 1001680: agreed 2, durable 2
  a: committed 1001680.2 empty
  a: to b, term 1001680: after 1001680.2, commit 2
  a: to c, term 1001680: after 1001680.2, commit 2
  a: to d, term 1001680: after 1001680.2, commit 2
  a: to e, term 1001680: after 1001680.2, commit 2
  b: committed 1001680.2 empty
  b: to a, term 1001680: agreed 2, durable 2
  c: committed 1001680.2 empty
  c: to a, term 1001680: agreed 2, durable 2
  d: committed 1001680.2 empty
  d: to a, term 1001680: agreed 2, durable 2
  e: committed 1001680.2 empty
  e: to a, term 1001680: agreed 2, durable 2
> show
  a: leader term 1001680, leader a, log 2...1001680.2, durable 2, commit 2, members a,b,c,d,e
  b: follower term 1001680, leader a, log 2...1001680.2, durable 2, commit 2, members a,b,c,d,e
  c: follower term 1001680, leader a, log 2...1001680.2, durable 2, commit 2, members a,b,c,d,e
  d: follower term 1001680, leader a, log 2...1001680.2, durable 2, commit 2, members a,b,c,d,e
  e: follower term 1001680, leader a, log 2...1001680.2, durable 2, commit 2, members a,b,c,d,e
