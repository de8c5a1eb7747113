# A leader that hears no majority for the longest election timeout stops leading.
quiet
found a b c
tick a
settle
cut b
cut c
loud
tick a 9
show
----
> quiet
> loud
> tick a 9
  a: to b, term 2: after 2.2, commit 2
  a: to c, term 2: after 2.2, commit 2
  a: to b, term 2: after 2.2, commit 2
  a: to c, term 2: after 2.2, commit 2
  a: to b, term 2: after 2.2, commit 2
  a: to c, term 2: after 2.2, commit 2
  a: to b, term 2: after 2.2, commit 2
  a: to c, term 2: after 2.2, commit 2
  a: to b, term 2: after 2.2, commit 2
  a: to c, term 2: after 2.2, commit 2
  a: to b, term 2: after 2.2, commit 2
  a: to c, term 2: after 2.2, commit 2
  a: to b, term 2: after 2.2, commit 2
  a: to c, term 2: after 2.2, commit 2
  a: leader unknown, term 2
  a: to b, term 3: would you vote for me? log 2.2
  a: to c, term 3: would you vote for me? log 2.2
> show
  a: preCandidate term 2, leader unknown, log 2...2.2, durable 2, commit 2, members a,b,c
  b: follower term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
  c: follower term 2, leader a, log 2...2.2, durable 2, commit 2, members a,b,c
