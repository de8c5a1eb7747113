# A snapshot that is lost is sent again once the member is heard and an election timeout is over.
quiet
found a b c
tick a
settle
cut c
propose a one
propose a two
propose a three
propose a four
settle
compact a
settle
run 500
show
heal c
loud
tick a
deliver a c
deliver c a
lose a c
quiet
run 460
show
----
> quiet
> show
  a: leader term 2, leader a, log 5...2.6, durable 6, commit 6, members a,b,c
  b: follower term 2, leader a, log 2...2.6, durable 6, commit 6, members a,b,c
  c: preCandidate term 2, leader unknown, log 2...2.2, durable 2, commit 2, members a,b,c
> loud
> tick a
  a: to b, term 2: after 2.6, commit 6
  a: to c, term 2: after -, commit 6
> deliver a c
  c: leader a, term 2
  c: to a, term 2: agreed 2, durable 2
> deliver c a
  a: to c, term 2: snapshot 2.6 members a,b,c
> lose a c
> quiet
> show
  a: leader term 2, leader a, log 5...2.6, durable 6, commit 6, members a,b,c
  b: follower term 2, leader a, log 2...2.6, durable 6, commit 6, members a,b,c
  c: follower term 2, leader a, log 7...2.6, durable 6, commit 6, members a,b,c
