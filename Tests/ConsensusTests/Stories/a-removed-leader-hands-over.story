# A leader that removes itself leads until that is committed, then asks another to campaign.
quiet
found a b c
tick a
settle
loud
change a b,c
settle
show
tick a
settle
----
> quiet
> loud
> change a b,c
  a: proposed 2.3
  a: appended 2.3 members b,c
  a: to b, term 2: after 2.2 add 2.3 members b,c, commit 2
  a: to c, term 2: after 2.2 add 2.3 members b,c, commit 2
  a: write 3: 2.3 members b,c
> settle
  b: appended 2.3 members b,c
  b: write 3: 2.3 members b,c
  b: to a, term 2: agreed 3, durable 3
  c: appended 2.3 members b,c
  c: write 3: 2.3 members b,c
  c: to a, term 2: agreed 3, durable 3
  a: committed 2.3 members b,c
  a: to b, term 2: after 2.3, commit 3
  a: to c, term 2: after 2.3, commit 3
  a: to b, term 2: campaign now
  a: leader unknown, term 2
  b: committed 2.3 members b,c
  b: to a, term 2: agreed 3, durable 3
  c: committed 2.3 members b,c
  c: to a, term 2: agreed 3, durable 3
  b: leader unknown, term 3
  b: write 4: term 3 vote b
  b: to c, term 3: vote for me, log 2.3, asked by the leader
  c: leader unknown, term 3
  c: write 4: term 3 vote b
  c: to b, term 3: my vote
  b: leader b, term 3
  b: appended 3.4 empty
  b: to c, term 3: after 2.3 add 3.4 empty, commit 3
  b: write 5: 3.4 empty
  c: leader b, term 3
  c: appended 3.4 empty
  c: write 5: 3.4 empty
  c: to b, term 3: agreed 4, durable 4
  b: committed 3.4 empty
  b: to c, term 3: after 3.4, commit 4
  c: committed 3.4 empty
  c: to b, term 3: agreed 4, durable 4
> show
  a: follower term 2, leader unknown, log 2...2.3, durable 3, commit 3, members b,c
  b: leader term 3, leader b, log 2...3.4, durable 4, commit 4, members b,c
  c: follower term 3, leader b, log 2...3.4, durable 4, commit 4, members b,c
> tick a
> settle
