# A cluster of one commits by its own disk, and grows to two with a learner promoted.
found a
tick a
settle
join b
change a a b
settle
run 60
change a a,b
settle
show
----
> found a
> tick a
  a: write 1: term 2 vote a
> settle
  a: leader a, term 2
  a: appended 2.2 empty
  a: write 2: 2.2 empty
  a: committed 2.2 empty
> join b
> change a a b
  a: proposed 2.3
  a: appended 2.3 members a learning b
  a: to b, term 2: after 2.2 add 2.3 members a learning b, commit 2
  a: write 3: 2.3 members a learning b
> settle
  a: committed 2.3 members a learning b
  b: leader a, term 2
  b: to a, term 2: no 2 here, try -
  b: write 1: term 2 vote -
  a: to b, term 2: snapshot 1.1 members a
  b: restored 1.1
  b: write 2: snapshot 1.1; keep from 2
  b: to a, term 2: snapshot durable 1
  a: to b, term 2: after 1.1 add 2.2 empty, 2.3 members a learning b, commit 3
  b: appended 2.2 empty, 2.3 members a learning b
  b: committed 2.2 empty, 2.3 members a learning b
  b: write 3: 2.2 empty, 2.3 members a learning b
  b: to a, term 2: agreed 3, durable 3
> run 60
  a: to b, term 2: after 2.3, commit 3
  b: to a, term 2: agreed 3, durable 3
> change a a,b
  a: proposed 2.4
  a: appended 2.4 members a,b
  a: to b, term 2: after 2.3 add 2.4 members a,b, commit 3
  a: write 4: 2.4 members a,b
> settle
  b: appended 2.4 members a,b
  b: write 4: 2.4 members a,b
  b: to a, term 2: agreed 4, durable 4
  a: committed 2.4 members a,b
  a: to b, term 2: after 2.4, commit 4
  b: committed 2.4 members a,b
  b: to a, term 2: agreed 4, durable 4
> show
  a: leader term 2, leader a, log 2...2.4, durable 4, commit 4, members a,b
  b: follower term 2, leader a, log 2...2.4, durable 4, commit 4, members a,b
