# The target campaigns at once, without waiting for the silence that protects a leader.
quiet
found a b c
tick a
settle
loud
transfer a b
propose a refused
settle
show
----
> quiet
> loud
> transfer a b
  a: to b, term 2: campaign now
> propose a refused
  a: refused: handing over to b
> settle
  b: leader unknown, term 3
  b: write 3: term 3 vote b
  b: to a, term 3: vote for me, log 2.2, asked by the leader
  b: to c, term 3: vote for me, log 2.2, asked by the leader
  a: leader unknown, term 3
  a: write 3: term 3 vote b
  a: to b, term 3: my vote
  c: leader unknown, term 3
  c: write 3: term 3 vote b
  c: to b, term 3: my vote
  b: leader b, term 3
  b: appended 3.3 empty
  b: to a, term 3: after 2.2 add 3.3 empty, commit 2
  b: to c, term 3: after 2.2 add 3.3 empty, commit 2
  b: write 4: 3.3 empty
  a: leader b, term 3
  a: appended 3.3 empty
  a: write 4: 3.3 empty
  a: to b, term 3: agreed 3, durable 3
  c: leader b, term 3
  c: appended 3.3 empty
  c: write 4: 3.3 empty
  c: to b, term 3: agreed 3, durable 3
  b: committed 3.3 empty
  b: to a, term 3: after 3.3, commit 3
  b: to c, term 3: after 3.3, commit 3
  a: committed 3.3 empty
  a: to b, term 3: agreed 3, durable 3
  c: committed 3.3 empty
  c: to b, term 3: agreed 3, durable 3
> show
  a: follower term 3, leader b, log 2...3.3, durable 3, commit 3, members a,b,c
  b: leader term 3, leader b, log 2...3.3, durable 3, commit 3, members a,b,c
  c: follower term 3, leader b, log 2...3.3, durable 3, commit 3, members a,b,c
