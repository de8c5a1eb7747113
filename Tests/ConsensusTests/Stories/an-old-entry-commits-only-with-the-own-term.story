# Entries of an older term on a majority are not committed before one of the leader's own is (figure 8).
quiet
found a b c d e
cut d
cut e
tick a
deliver a b
deliver a c
deliver b a
deliver c a
write a
deliver a b
deliver a c
write b
write c
deliver b a
deliver c a
write a
lose a c
propose a old
write a
deliver a b
write b
deliver b a
deliver a b
write b
crash a
start a
show
tick a
loud
settle
show
----
> quiet
> show
  a: follower term 2, leader unknown, log 2...2.3, durable 3, commit 1, members a,b,c,d,e
  b: follower term 2, leader a, log 2...2.3, durable 3, commit 1, members a,b,c,d,e
  c: follower term 2, leader unknown, log 2...1.1, durable 1, commit 1, members a,b,c,d,e
  d: follower term 1, leader unknown, log 2...1.1, durable 1, commit 1, members a,b,c,d,e
  e: follower term 1, leader unknown, log 2...1.1, durable 1, commit 1, members a,b,c,d,e
> loud
> settle
  b: to a, term 3: I would
  c: to a, term 3: I would
  a: write 1: term 3 vote a
  a: to b, term 3: vote for me, log 2.3
  a: to c, term 3: vote for me, log 2.3
  a: to d, term 3: vote for me, log 2.3
  a: to e, term 3: vote for me, log 2.3
  b: leader unknown, term 3
  b: write 4: term 3 vote a
  b: to a, term 3: my vote
  c: write 2: term 3 vote a
  c: to a, term 3: my vote
  a: leader a, term 3
  a: appended 3.4 empty
  a: to b, term 3: after 2.3 add 3.4 empty, commit 1
  a: to c, term 3: after 2.3 add 3.4 empty, commit 1
  a: to d, term 3: after 2.3 add 3.4 empty, commit 1
  a: to e, term 3: after 2.3 add 3.4 empty, commit 1
  a: write 2: 3.4 empty
  b: leader a, term 3
  b: appended 3.4 empty
  b: write 5: 3.4 empty
  b: to a, term 3: agreed 4, durable 4
  c: leader a, term 3
  c: to a, term 3: no 3 here, try 1.1
  a: to c, term 3: after 1.1 add 2.2 empty, 2.3 "old", commit 1
  c: appended 2.2 empty, 2.3 "old"
  c: write 3: 2.2 empty, 2.3 "old"
  c: to a, term 3: agreed 3, durable 3
  a: to c, term 3: after 2.3 add 3.4 empty, commit 1
  c: appended 3.4 empty
  c: write 4: 3.4 empty
  c: to a, term 3: agreed 4, durable 4
  a: committed 2.2 empty, 2.3 "old", 3.4 empty
  a: to b, term 3: after 3.4, commit 4
  a: to c, term 3: after 3.4, commit 4
  b: committed 2.2 empty, 2.3 "old", 3.4 empty
  b: to a, term 3: agreed 4, durable 4
  c: committed 2.2 empty, 2.3 "old", 3.4 empty
  c: to a, term 3: agreed 4, durable 4
> show
  a: leader term 3, leader a, log 2...3.4, durable 4, commit 4, members a,b,c,d,e
  b: follower term 3, leader a, log 2...3.4, durable 4, commit 4, members a,b,c,d,e
  c: follower term 3, leader a, log 2...3.4, durable 4, commit 4, members a,b,c,d,e
  d: follower term 1, leader unknown, log 2...1.1, durable 1, commit 1, members a,b,c,d,e
  e: follower term 1, leader unknown, log 2...1.1, durable 1, commit 1, members a,b,c,d,e
