# A leader of two that removed itself and lost its lead before anyone knew is the only one who can win; it
# leads once more, without a vote of its own, until its removal is committed.
quiet
found a b
tick a
settle
cut b
change a b
write a
loud
tick a 9
heal b
await a
show
tick a
settle
show
----
> quiet
> loud
> tick a 9
  a: to b, term 2: after 2.3, commit 2
  a: to b, term 2: after 2.3, commit 2
  a: to b, term 2: after 2.3, commit 2
  a: to b, term 2: after 2.3, commit 2
  a: to b, term 2: after 2.3, commit 2
  a: to b, term 2: after 2.3, commit 2
  a: to b, term 2: after 2.3, commit 2
  a: leader unknown, term 2
  a: to b, term 3: would you vote for me? log 2.3
> heal b
> await a
  b: leader unknown, term 2
  b: to a, term 3: would you vote for me? log 2.2
  a: to b, term 2: I would not
  b: to a, term 3: would you vote for me? log 2.2
  a: to b, term 2: I would not
> show
  a: preCandidate term 2, leader unknown, log 2...2.3, durable 3, commit 2, members b
  b: preCandidate term 2, leader unknown, log 2...2.2, durable 2, commit 2, members a,b
> tick a
  a: to b, term 3: would you vote for me? log 2.3
> settle
  b: to a, term 3: I would
  a: write 4: term 3 vote a
  a: to b, term 3: vote for me, log 2.3
  b: write 3: term 3 vote a
  b: to a, term 3: my vote
  a: leader a, term 3
  a: appended 3.4 empty
  a: to b, term 3: after 2.3 add 3.4 empty, commit 2
  a: write 5: 3.4 empty
  b: leader a, term 3
  b: to a, term 3: no 3 here, try 2.2
  a: to b, term 3: after 2.2 add 2.3 members b, 3.4 empty, commit 2
  b: appended 2.3 members b, 3.4 empty
  b: write 4: 2.3 members b, 3.4 empty
  b: to a, term 3: agreed 4, durable 4
  a: committed 2.3 members b, 3.4 empty
  a: to b, term 3: after 3.4, commit 4
  a: to b, term 3: campaign now
  a: leader unknown, term 3
  b: committed 2.3 members b, 3.4 empty
  b: to a, term 3: agreed 4, durable 4
  b: leader unknown, term 4
  b: write 5: term 4 vote b
  b: leader b, term 4
  b: appended 4.5 empty
  b: write 6: 4.5 empty
  b: committed 4.5 empty
> show
  a: follower term 3, leader unknown, log 2...3.4, durable 4, commit 4, members b
  b: leader term 4, leader b, log 2...4.5, durable 5, commit 5, members b
