# When the target does not campaign in time, the leader takes proposals again.
quiet
found a b c
tick a
settle
cut c
loud
transfer a c
propose a refused
quiet
run 380
loud
run 40
propose a accepted
settle
show
----
> quiet
> loud
> transfer a c
  a: to c, term 2: campaign now
> propose a refused
  a: refused: handing over to c
> quiet
> loud
> run 40
  a: transfer to c failed
  a: to b, term 2: after 2.2, commit 2
  a: to c, term 2: after 2.2, commit 2
  b: to a, term 2: agreed 2, durable 2
> propose a accepted
  a: proposed 2.3
  a: appended 2.3 "accepted"
  a: to b, term 2: after 2.2 add 2.3 "accepted", commit 2
  a: write 3: 2.3 "accepted"
> settle
  b: appended 2.3 "accepted"
  b: write 3: 2.3 "accepted"
  b: to a, term 2: agreed 3, durable 3
  a: committed 2.3 "accepted"
  a: to b, term 2: after 2.3, commit 3
  b: committed 2.3 "accepted"
  b: to a, term 2: agreed 3, durable 3
> show
  a: leader term 2, leader a, log 2...2.3, durable 3, commit 3, members a,b,c
  b: follower term 2, leader a, log 2...2.3, durable 3, commit 3, members a,b,c
  c: preCandidate term 2, leader unknown, log 2...2.2, durable 2, commit 2, members a,b,c
