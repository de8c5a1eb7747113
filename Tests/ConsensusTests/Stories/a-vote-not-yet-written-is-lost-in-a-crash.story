# A vote is told only when it is durable, so a voter that crashes before may vote again in that term.
quiet
found a b c
loud
slow b
cut c
tick a
deliver a b
deliver b a
write a
deliver a b
crash b
start b
show
fast b
cut a
heal c
tick c
settle
show
----
> quiet
> loud
> slow b
> cut c
> tick a
  a: to b, term 2: would you vote for me? log 1.1
  a: to c, term 2: would you vote for me? log 1.1
> deliver a b
  b: to a, term 2: I would
> deliver b a
  a: write 1: term 2 vote a
> write a
  a: to b, term 2: vote for me, log 1.1
  a: to c, term 2: vote for me, log 1.1
> deliver a b
  b: write 1: term 2 vote a
> crash b
> start b
> show
  a: candidate term 2, leader unknown, log 2...1.1, durable 1, commit 1, members a,b,c
  b: follower term 1, leader unknown, log 2...1.1, durable 1, commit 1, members a,b,c
  c: follower term 1, leader unknown, log 2...1.1, durable 1, commit 1, members a,b,c
> fast b
> cut a
> heal c
> tick c
  c: to a, term 2: would you vote for me? log 1.1
  c: to b, term 2: would you vote for me? log 1.1
> settle
  b: to c, term 2: I would
  c: write 1: term 2 vote c
  c: to a, term 2: vote for me, log 1.1
  c: to b, term 2: vote for me, log 1.1
  b: write 1: term 2 vote c
  b: to c, term 2: my vote
  c: leader c, term 2
  c: appended 2.2 empty
  c: to a, term 2: after 1.1 add 2.2 empty, commit 1
  c: to b, term 2: after 1.1 add 2.2 empty, commit 1
  c: write 2: 2.2 empty
  b: leader c, term 2
  b: appended 2.2 empty
  b: write 2: 2.2 empty
  b: to c, term 2: agreed 2, durable 2
  c: committed 2.2 empty
  c: to b, term 2: after 2.2, commit 2
  b: committed 2.2 empty
  b: to c, term 2: agreed 2, durable 2
> show
  a: candidate term 2, leader unknown, log 2...1.1, durable 1, commit 1, members a,b,c
  b: follower term 2, leader c, log 2...2.2, durable 2, commit 2, members a,b,c
  c: leader term 2, leader c, log 2...2.2, durable 2, commit 2, members a,b,c
