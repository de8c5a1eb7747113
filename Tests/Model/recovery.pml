/*
 * What becomes of a recovered quorum (fsdns recover-quorum) when the operator was wrong (docs/operations.md, "A majority is
 * lost for good"): those who were given up live behind a partition, decide alone, hold what the others hold as well,
 * and at some time both sides hear each other.
 *
 * That nothing goes wrong where he was right, and nothing either where those who live are no majority, is shown
 * with lease.pml -DRECOVER. Here only sides are looked at: who belongs to which history, in which term it is, who is heard by
 * a majority, and who gives way. Leases and logs of one history are taken for granted.
 *
 * What is checked. After all have heard each other thrice (nobody crashes meanwhile):
 *   ONE   whoever takes part belongs to one history: there are no two holders any more;
 *   STAYS somebody is heard by a majority, if somebody was before;
 *   CALM  at any time: who belongs to the first history, and was heard by a majority of its voters when the sides began
 *         to hear each other, never gives way.
 *
 * Rules that can be switched off, each of which must then give a counterexample:
 *   -DLEAP   the term of a recovery is only the next one
 *   -DYIELD  those who recovered do not give way to those whom they gave up
 *   -DWORD   who was given up and is heard by no majority takes part again as what it was
 *   -DLEASE  who was given up gives way even while a majority hears it
 *   -DONESIDED who was given up is taken for one of the first history by its lower term alone, though it gave up the other, too;
 *            needs -DRECOVERIES=3: two recoveries on one side, one after the other, and one on the other
 */
#ifndef RECOVERIES
#define RECOVERIES 2
#endif
/* Ordinary elections, on all sides together. */
#ifndef ELECTIONS
#define ELECTIONS 1
#endif
#define N 5
#define LEAP_BY 20
#define ROUNDS 3

#define BIT(n) (1 << (n))
#define COUNT(mask) (((mask) & 1) + (((mask) >> 1) & 1) + (((mask) >> 2) & 1) + (((mask) >> 3) & 1) + (((mask) >> 4) & 1))

byte place[N];          /* which side of the partition */
bool up[N];             /* runs, and has not set its state aside */
bool aside[N];          /* gave way: its machine joins as a new member, which is not looked at */
byte history[N];        /* 0, or by which recovery */
byte term[N];
byte voters[N];         /* by its log, one bit each */
byte given[N];          /* whom its history gave up, one bit each */
bool lease[N];          /* a majority of its voters hears it, as it knows */
bool said[N];           /* its last beat said so */
bool spoke[N];          /* it ran at the beginning of the round */
byte heard;             /* whose beats were heard in this round, one bit each */
bool crossing;          /* in this round, all beats are sent before any is heard */
byte recoveries, elections, rounds;
bool healed, had, calm, bumped;

byte x, y, m, here;     /* only within steps; always zero between them */

#define MEET(i, j) (healed || place[i] == place[j])
/* One bit for each that acknowledges n. */
#define ACKS(n, m) ((up[m] && MEET(n, m) && history[n] == history[m]) << (m))
#define FRIENDS(n) (ACKS(n, 0) | ACKS(n, 1) | ACKS(n, 2) | ACKS(n, 3) | ACKS(n, 4))
#define QUORUM(n) (up[n] && 2 * COUNT(FRIENDS(n) & voters[n]) > COUNT(voters[n]))

inline look() {
    x = 0;
    do
    :: x < N -> lease[x] = QUORUM(x); x++
    :: else -> break
    od;
    x = 0
}

/* What the last beat of each said; it may be on its way while the sender gives way. */
#define SAY(n) said[n] = lease[n]; spoke[n] = up[n]

inline speak() {
    SAY(0); SAY(1); SAY(2); SAY(3); SAY(4)
}

inline leaves(i) { up[i] = false; aside[i] = true; lease[i] = false; assert(!(calm && history[i] == 0)) }

/* i hears j's heartbeat. */
#ifdef ONESIDED
#define ORIGINAL(i, j) (term[j] + LEAP_BY / 2 <= term[i])
#else
#define ORIGINAL(i, j) (term[j] + LEAP_BY / 2 <= term[i] && !(given[j] & BIT(i)))
#endif
inline hear(i, j) {
    if
#ifndef YIELD
    :: (given[i] & BIT(j)) && said[j] && (ORIGINAL(i, j) || term[j] > term[i]) ->
        printf("@ %d gives way to %d, whom it gave up\n", i, j); leaves(i)
#endif
#ifndef WORD
#ifdef LEASE
    :: (given[j] & BIT(i)) && !((given[i] & BIT(j)) && said[j] && (ORIGINAL(i, j) || term[j] > term[i])) ->
#else
    :: (given[j] & BIT(i)) && !lease[i] && !((given[i] & BIT(j)) && said[j] && (ORIGINAL(i, j) || term[j] > term[i])) ->
#endif
        printf("@ %d gives way, as %d says that it was given up\n", i, j); leaves(i)
#endif
    :: else -> skip
    fi;
    /* A leader of old writes to all its voters, and learns the newer term from who refuses it. */
    if
    :: up[i] && (voters[i] & BIT(j)) && history[i] != history[j] && term[j] > term[i] && lease[i] -> term[i] = term[j]; bumped = true
    :: else -> skip
    fi
}

/* All others hear n, as it is now or as it was at the beginning of the round. */
#define BEAT(n) \
    :: d_step { healed && rounds < ROUNDS && spoke[n] && !(heard & BIT(n)) && (up[n] || crossing) -> \
        heard = heard | BIT(n); if :: !crossing -> said[n] = lease[n] :: else -> skip fi; \
        x = 0; do :: x < N -> if :: up[x] && x != n -> hear(x, n) :: else -> skip fi; x++ :: else -> break od; x = 0 }

/* All of n's history on its side that run. */
#define LEFT(n) FRIENDS(n)

/* n is told to go on without those that it does not hear. */
#define RECOVER(n) :: d_step { !healed && recoveries < RECOVERIES && up[n] && (voters[n] & BIT(n)) && !QUORUM(n) -> \
    recoveries++; here = LEFT(n); printf("@ %d leads without the lost\n", n); recover(n) }

inline recover(n) {
    m = 0; x = 0;
    do
    :: x < N -> if :: (here & BIT(x)) && term[x] > m -> m = term[x] :: else -> skip fi; x++
    :: else -> break
    od;
    y = voters[n]; x = 0;
    do
    :: x < N ->
        if
        :: here & BIT(x) ->
#ifdef LEAP
            term[x] = m + 1;
#else
            /* For two recoveries hardly ever the same. */
            term[x] = m + LEAP_BY + 3 * recoveries;
#endif
            given[x] = given[x] | (31 & ~here); voters[x] = y & here; history[x] = recoveries
        :: else -> skip
        fi;
        x++
    :: else -> break
    od;
    x = 0; y = 0; m = 0; here = 0; look()
}

/* Where a majority is, another leads. */
#define ELECT(n) :: d_step { !healed && elections < ELECTIONS && QUORUM(n) -> \
    elections++; here = FRIENDS(n); printf("@ another leads where %d is\n", n); elect(n) }

inline elect(n) {
    m = 0; x = 0;
    do
    :: x < N -> if :: (here & BIT(x)) && term[x] > m -> m = term[x] :: else -> skip fi; x++
    :: else -> break
    od;
    x = 0;
    do
    :: x < N -> if :: here & BIT(x) -> term[x] = m + 1 :: else -> skip fi; x++
    :: else -> break
    od;
    x = 0; m = 0; here = 0
}

/* A machine stops, or is found again and starts with its old state. */
#define STOP(n) :: d_step { !healed && recoveries < RECOVERIES && up[n] && place[n] != 2 -> printf("@ %d stops\n", n); up[n] = false; look() }
#define START(n) :: d_step { !healed && !up[n] && !aside[n] && recoveries > 0 -> printf("@ %d starts again\n", n); up[n] = true; look() }

#define EACH(S) S(0) S(1) S(2) S(3) S(4)

#define ANY(F) (F(0) || F(1) || F(2) || F(3) || F(4))
#define HELD(n) (lease[n])
#define OLD(n) (history[n] == 0 && lease[n])
#define PENDING(n) (spoke[n] && !(heard & BIT(n)) && (up[n] || crossing))

active proctype sides() {
    d_step {
        x = 0;
        do
        :: x < N -> up[x] = true; lease[x] = true; term[x] = 2; voters[x] = 31; x++
        :: else -> break
        od;
        x = 0
    }
    /* The partition. Which of them is on which side is all the same, the numbers alone count. */
    if
    :: place[4] = 1
    :: d_step { place[4] = 1; place[3] = 1 }
    fi;
    d_step { look() }

end:
    do
    EACH(STOP)
    EACH(START)
    EACH(RECOVER)
    EACH(ELECT)
    :: d_step { !healed && recoveries > 0 -> printf("@ both sides hear each other\n");
        /* Of the first history, those whom a majority hears on their side. */
        calm = (ANY(OLD)); had = (ANY(HELD));
        healed = true; look(); speak() }
    :: d_step { healed && heard == 0 && !crossing && rounds < ROUNDS -> printf("@ beats cross\n"); crossing = true }
    EACH(BEAT)
    :: d_step { healed && rounds < ROUNDS && !(ANY(PENDING)) ->
        printf("@ all have heard each other\n");
        rounds++; look();
        heard = 0; crossing = false;
        /* Who was deposed by a newer term is followed by another leader where a majority is. */
        if
        :: bumped ->
            do
            :: x < N && lease[x] && history[x] == 0 -> here = FRIENDS(x); break
            :: x < N && !(lease[x] && history[x] == 0) -> x++
            :: else -> break
            od;
            x = 0;
            if :: here != 0 -> elect(0) :: else -> skip fi;
            bumped = false; here = 0
        :: else -> skip
        fi;
        speak();
        if
        :: rounds == ROUNDS ->
            /* ONE */
            x = 0;
            do
            :: x < N -> y = 0;
                do
                :: y < N -> assert(!(up[x] && up[y] && history[x] != history[y])); y++
                :: else -> break
                od;
                x++
            :: else -> break
            od;
            x = 0; y = 0;
            /* STAYS */
            assert(!had || ANY(HELD))
        :: else -> skip
        fi }
    od
}
