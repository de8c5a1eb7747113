# A removed voter that was cut off keeps asking for votes; nobody changes a term or gives it one.
quiet
found a b c
tick a
settle
cut c
change a a,b
settle
await c
heal c
loud
tick c
settle
show
crash a
run 500
tick c
settle
show
----
> quiet
> loud
> tick c
  c: leader unknown, term 2
  c: to a, term 3: would you vote for me? log 2.2
  c: to b, term 3: would you vote for me? log 2.2
> settle
  a: to c, term 2: I would not
  b: to c, term 2: I would not
> show
  a: leader term 2, leader a, log 2...2.3, durable 3, commit 3, members a,b
  b: follower term 2, leader a, log 2...2.3, durable 3, commit 3, members a,b
  c: preCandidate term 2, leader unknown, log 2...2.2, durable 2, commit 2, members a,b,c
> crash a
> run 500
  c: to a, term 3: would you vote for me? log 2.2
  c: to b, term 3: would you vote for me? log 2.2
  b: to c, term 2: I would not
  c: to a, term 3: would you vote for me? log 2.2
  c: to b, term 3: would you vote for me? log 2.2
  b: to c, term 2: I would not
  b: leader unknown, term 2
  b: to a, term 3: would you vote for me? log 2.3
  b: to a, term 3: would you vote for me? log 2.3
> tick c
  c: to a, term 3: would you vote for me? log 2.2
  c: to b, term 3: would you vote for me? log 2.2
> settle
  b: to c, term 2: I would not
> show
  a: crashed
  b: preCandidate term 2, leader unknown, log 2...2.3, durable 3, commit 3, members a,b
  c: preCandidate term 2, leader unknown, log 2...2.2, durable 2, commit 2, members a,b,c
