# Whoever knows less than another that is left does not get its vote: what that one knows to be agreed must not be lost.
quiet
found a b c d e
tick a
settle
cut b
propose a unknown to b
settle
crash a
crash d
crash e
heal b
run 3000
loud
recover b b,c
settle
quiet
run 3000
loud
recover c b,c
settle
show
----
> quiet
> loud
> recover b b,c
  b: write 3: term 3 vote b
> settle
  b: to a, term 3: vote for me, log 2.2
  b: to c, term 3: vote for me, log 2.2
  b: to d, term 3: vote for me, log 2.2
  b: to e, term 3: vote for me, log 2.2
  c: to b, term 3: not my vote
  c: write 4: term 3 vote -
> quiet
> loud
> recover c b,c
  c: write 5: term 4 vote c
> settle
  c: to a, term 4: vote for me, log 2.3
  c: to b, term 4: vote for me, log 2.3
  c: to d, term 4: vote for me, log 2.3
  c: to e, term 4: vote for me, log 2.3
  b: write 4: term 4 vote c
  b: to c, term 4: my vote
  c: leader c, term 4
  c: appended 4.4 "give up", 4.5 members b,c
  c: to a, term 4: after 4.4 add 4.5 members b,c, commit 3
  c: to b, term 4: after 4.4 add 4.5 members b,c, commit 3
  c: to d, term 4: after 4.4 add 4.5 members b,c, commit 3
  c: to e, term 4: after 4.4 add 4.5 members b,c, commit 3
  c: recovered from 4.4 on
  c: write 6: 4.4 "give up", 4.5 members b,c
  b: leader c, term 4
  b: to c, term 4: no 4 here, try 2.2
  c: to b, term 4: after 2.2 add 2.3 "unknown to b", 4.4 "give up", commit 3
  b: appended 2.3 "unknown to b", 4.4 "give up"
  b: committed 2.3 "unknown to b"
  b: write 5: 2.3 "unknown to b", 4.4 "give up"
  b: to c, term 4: agreed 4, durable 4
  c: committed 4.4 "give up"
  c: to b, term 4: after 4.4 add 4.5 members b,c, commit 4
  b: appended 4.5 members b,c
  b: committed 4.4 "give up"
  b: write 6: 4.5 members b,c
  b: to c, term 4: agreed 5, durable 5
  c: committed 4.5 members b,c
  c: to b, term 4: after 4.5, commit 5
  b: committed 4.5 members b,c
  b: to c, term 4: agreed 5, durable 5
> show
  a: crashed
  b: follower term 4, leader c, log 2...4.5, durable 5, commit 5, members b,c
  c: leader term 4, leader c, log 2...4.5, durable 5, commit 5, members b,c
  d: crashed
  e: crashed
