# A learner that joins late gets the snapshot and the entries after it.
quiet
found a b c
tick a
settle
propose a one
propose a two
propose a three
propose a four
settle
compact a
settle
join d
loud
change a a,b,c d
settle
run 60
show
----
> quiet
> loud
> change a a,b,c d
  a: proposed 2.7
  a: appended 2.7 members a,b,c learning d
  a: to b, term 2: after 2.6 add 2.7 members a,b,c learning d, commit 6
  a: to c, term 2: after 2.6 add 2.7 members a,b,c learning d, commit 6
  a: to d, term 2: after 2.6 add 2.7 members a,b,c learning d, commit 6
  a: write 8: 2.7 members a,b,c learning d
> settle
  b: appended 2.7 members a,b,c learning d
  b: write 6: 2.7 members a,b,c learning d
  b: to a, term 2: agreed 7, durable 7
  c: appended 2.7 members a,b,c learning d
  c: write 6: 2.7 members a,b,c learning d
  c: to a, term 2: agreed 7, durable 7
  d: leader a, term 2
  d: to a, term 2: no 6 here, try -
  d: write 1: term 2 vote -
  a: committed 2.7 members a,b,c learning d
  a: to b, term 2: after 2.7, commit 7
  a: to c, term 2: after 2.7, commit 7
  a: to d, term 2: snapshot 2.6 members a,b,c
  b: committed 2.7 members a,b,c learning d
  b: to a, term 2: agreed 7, durable 7
  c: committed 2.7 members a,b,c learning d
  c: to a, term 2: agreed 7, durable 7
  d: restored 2.6
  d: write 2: snapshot 2.6; keep from 7
  d: to a, term 2: snapshot durable 6
  a: to d, term 2: after 2.6 add 2.7 members a,b,c learning d, commit 7
  d: appended 2.7 members a,b,c learning d
  d: committed 2.7 members a,b,c learning d
  d: write 3: 2.7 members a,b,c learning d
  d: to a, term 2: agreed 7, durable 7
> run 60
  a: to b, term 2: after 2.7, commit 7
  a: to c, term 2: after 2.7, commit 7
  a: to d, term 2: after 2.7, commit 7
  b: to a, term 2: agreed 7, durable 7
  c: to a, term 2: agreed 7, durable 7
  d: to a, term 2: agreed 7, durable 7
> show
  a: leader term 2, leader a, log 5...2.7, durable 7, commit 7, members a,b,c learning d
  b: follower term 2, leader a, log 2...2.7, durable 7, commit 7, members a,b,c learning d
  c: follower term 2, leader a, log 2...2.7, durable 7, commit 7, members a,b,c learning d
  d: follower term 2, leader a, log 7...2.7, durable 7, commit 7, members a,b,c learning d
