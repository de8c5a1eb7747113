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
  b: write 3: term 1000366 vote b
> settle
  b: to a, term 1000366: vote for me, log 2.2
  b: to c, term 1000366: vote for me, log 2.2
  b: to d, term 1000366: vote for me, log 2.2
  b: to e, term 1000366: vote for me, log 2.2
  c: to b, term 1000366: not my vote
  c: write 4: term 1000366 vote -
> quiet
> loud
> recover c b,c
  c: write 5: term 2026314 vote c
> settle
  c: to a, term 2026314: vote for me, log 2.3
  c: to b, term 2026314: vote for me, log 2.3
  c: to d, term 2026314: vote for me, log 2.3
  c: to e, term 2026314: vote for me, log 2.3
  b: write 4: term 2026314 vote c
  b: to c, term 2026314: my vote
  c: leader c, term 2026314
  c: appended 2026314.4 "give up", 2026314.5 members b,c
  c: to a, term 2026314: after 2026314.4 add 2026314.5 members b,c, commit 3
  c: to b, term 2026314: after 2026314.4 add 2026314.5 members b,c, commit 3
  c: to d, term 2026314: after 2026314.4 add 2026314.5 members b,c, commit 3
  c: to e, term 2026314: after 2026314.4 add 2026314.5 members b,c, commit 3
  c: recovered from 2026314.4 on
  c: write 6: 2026314.4 "give up", 2026314.5 members b,c
  b: leader c, term 2026314
  b: to c, term 2026314: no 4 here, try 2.2
  c: to b, term 2026314: after 2.2 add 2.3 "unknown to b", 2026314.4 "give up", commit 3
  b: appended 2.3 "unknown to b", 2026314.4 "give up"
  b: committed 2.3 "unknown to b"
  b: write 5: 2.3 "unknown to b", 2026314.4 "give up"
  b: to c, term 2026314: agreed 4, durable 4
  c: committed 2026314.4 "give up"
  c: to b, term 2026314: after 2026314.4 add 2026314.5 members b,c, commit 4
  b: appended 2026314.5 members b,c
  b: committed 2026314.4 "give up"
  b: write 6: 2026314.5 members b,c
  b: to c, term 2026314: agreed 5, durable 5
  c: committed 2026314.5 members b,c
  c: to b, term 2026314: after 2026314.5, commit 5
  b: committed 2026314.5 members b,c
  b: to c, term 2026314: agreed 5, durable 5
> show
  a: crashed
  b: follower term 2026314, leader c, log 2...2026314.5, durable 5, commit 5, members b,c
  c: leader term 2026314, leader c, log 2...2026314.5, durable 5, commit 5, members b,c
  d: crashed
  e: crashed
