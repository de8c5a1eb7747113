# Three of five are lost for good: the two that are left agree on who is given up and on the smaller membership, in one write.
quiet
found a b c d e
tick a
settle
propose a last
settle
crash c
crash d
crash e
run 3000
loud
recover b a,b
settle
propose b next
settle
show
----
> quiet
> loud
> recover b a,b
  b: write 4: term 1099498 vote b
> settle
  b: to a, term 1099498: vote for me, log 2.3
  b: to c, term 1099498: vote for me, log 2.3
  b: to d, term 1099498: vote for me, log 2.3
  b: to e, term 1099498: vote for me, log 2.3
  a: write 4: term 1099498 vote b
  a: to b, term 1099498: my vote
  b: leader b, term 1099498
  b: appended 1099498.4 "give up", 1099498.5 members a,b
  b: to a, term 1099498: after 1099498.4 add 1099498.5 members a,b, commit 3
  b: to c, term 1099498: after 1099498.4 add 1099498.5 members a,b, commit 3
  b: to d, term 1099498: after 1099498.4 add 1099498.5 members a,b, commit 3
  b: to e, term 1099498: after 1099498.4 add 1099498.5 members a,b, commit 3
  b: recovered from 1099498.4 on
  b: write 5: 1099498.4 "give up", 1099498.5 members a,b
  a: leader b, term 1099498
  a: to b, term 1099498: no 4 here, try 2.3
  b: to a, term 1099498: after 2.3 add 1099498.4 "give up", 1099498.5 members a,b, commit 3
  a: appended 1099498.4 "give up", 1099498.5 members a,b
  a: write 5: 1099498.4 "give up", 1099498.5 members a,b
  a: to b, term 1099498: agreed 5, durable 5
  b: committed 1099498.4 "give up", 1099498.5 members a,b
  b: to a, term 1099498: after 1099498.5, commit 5
  a: committed 1099498.4 "give up", 1099498.5 members a,b
  a: to b, term 1099498: agreed 5, durable 5
> propose b next
  b: proposed 1099498.6
  b: appended 1099498.6 "next"
  b: to a, term 1099498: after 1099498.5 add 1099498.6 "next", commit 5
  b: write 6: 1099498.6 "next"
> settle
  a: appended 1099498.6 "next"
  a: write 6: 1099498.6 "next"
  a: to b, term 1099498: agreed 6, durable 6
  b: committed 1099498.6 "next"
  b: to a, term 1099498: after 1099498.6, commit 6
  a: committed 1099498.6 "next"
  a: to b, term 1099498: agreed 6, durable 6
> show
  a: follower term 1099498, leader b, log 2...1099498.6, durable 6, commit 6, members a,b
  b: leader term 1099498, leader b, log 2...1099498.6, durable 6, commit 6, members a,b
  c: crashed
  d: crashed
  e: crashed
