# What a deposed leader added alone is replaced by what the majority agreed on.
quiet
found a b c
tick a
settle
cut a
propose a lost one
propose a lost two
write a
run 1000
propose b kept
settle
show
heal a
loud
run 60
show
----
> quiet
> show
  a: preCandidate term 2, leader unknown, log 2...2.4, durable 4, commit 2, members a,b,c
  b: leader term 3, leader b, log 2...3.4, durable 4, commit 4, members a,b,c
  c: follower term 3, leader b, log 2...3.4, durable 4, commit 4, members a,b,c
> loud
> run 60
  b: to a, term 3: after 2.2, commit 4
  b: to c, term 3: after 3.4, commit 4
  a: leader b, term 3
  a: to b, term 3: agreed 2, durable 0
  a: write 5: term 3 vote -
  c: to b, term 3: agreed 4, durable 4
  b: to a, term 3: after 2.2 add 3.3 empty, 3.4 "kept", commit 4
  a: truncated from 3
  a: appended 3.3 empty, 3.4 "kept"
  a: committed 3.3 empty, 3.4 "kept"
  a: write 6: delete from 3; 3.3 empty, 3.4 "kept"
  a: to b, term 3: agreed 4, durable 4
> show
  a: follower term 3, leader b, log 2...3.4, durable 4, commit 4, members a,b,c
  b: leader term 3, leader b, log 2...3.4, durable 4, commit 4, members a,b,c
  c: follower term 3, leader b, log 2...3.4, durable 4, commit 4, members a,b,c
