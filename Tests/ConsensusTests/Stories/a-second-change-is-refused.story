# One change at a time, one voter at a time, and none before the leader committed something of its term.
quiet
found a b c
join d
tick a
write a
deliver a b
write b
deliver b a
write a
deliver a b
write b
deliver b a
loud
show
change a a,b
settle
change a a
change a b,c,d
change a a,b,c a
change a a,b,c
change b a,b
change a a,b
change a a,b,c d
settle
show
----
> quiet
> loud
> show
  a: leader term 2, leader a, log 2...2.2, durable 1, commit 1, members a,b,c
  b: follower term 2, leader unknown, log 2...1.1, durable 1, commit 1, members a,b,c
  c: follower term 1, leader unknown, log 2...1.1, durable 1, commit 1, members a,b,c
  d: follower term 0, leader unknown, log 1...-, durable 0, commit 0, members 
> change a a,b
  a: refused: nothing of this term is committed yet
> settle
  c: to a, term 2: I would
  c: write 1: term 2 vote a
  c: to a, term 2: my vote
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
> change a a
  a: refused: more than one voter changes
> change a b,c,d
  a: refused: more than one voter changes
> change a a,b,c a
  a: refused: a cannot be voter and learner
> change a a,b,c
  a: refused: nothing changes
> change b a,b
  b: refused: not the leader, that is a
> change a a,b
  a: proposed 2.3
  a: appended 2.3 members a,b
  a: to b, term 2: after 2.2 add 2.3 members a,b, commit 2
  a: to c, term 2: after 2.2 add 2.3 members a,b, commit 2
  a: write 3: 2.3 members a,b
> change a a,b,c d
  a: refused: another change is not committed yet
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
> show
  a: leader term 2, leader a, log 2...2.3, durable 3, commit 3, members a,b
  b: follower term 2, leader a, log 2...2.3, durable 3, commit 3, members a,b
  c: follower term 2, leader a, log 2...2.3, durable 3, commit 3, members a,b
  d: follower term 0, leader unknown, log 1...-, durable 0, commit 0, members 
