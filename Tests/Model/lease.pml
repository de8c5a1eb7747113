/*
 * The rule that makes leases safe (docs/architecture.md), small enough to be looked at whole.
 *
 * One address, held by node J (0) when we look. The others may fence J, change who votes, crash and restart, and one
 * of them leads. What is checked: once the leader finds J's fence in effect, J's lease is over for ever.
 *
 * Written from the promise, not from the program. Agreement itself (one log, committed entries are never lost) is taken
 * for granted. Everything else is the worst that may happen:
 * - a heartbeat of J and its acknowledgement take no time (delay only ends the lease earlier than it begins silence);
 * - the leader fences without waiting for silence, so that only the wait itself protects;
 * - a crashed node is back at once; what was not on its disk is gone;
 * - a message takes as long as it likes: what may happen may also not happen.
 * Time is counted in ticks; a lease is T of them, and anything may happen between two.
 *
 * Rules that can be switched off, each of which must then give a counterexample:
 *   -DF1    voter changes may follow each other at once
 *   -DF2A   a replier tells ages of fences that are not on its disk, and what it told outlives its crash
 *   -DF2B   the leader counts its own silence for a fence that is not on its disk
 *   -DF3    who hears a newer life takes the earlier one for silent since the beginning
 *   -DF3B   a newer life that says that its keeper is empty is believed, be it another machine
 *   -DWAIT  no wait at all
 *   -DVOUCH a new leader takes every committed fence to be in effect as soon as its own first entry is committed
 *   -DEPOCH acknowledgements count whatever the acknowledging log knows
 *   -DSTART a restarted node takes a holder it has not heard for silent
 */
#ifndef N
#define N 3
#endif
#ifndef T
#define T 2
#endif
/* Entries of the log that matter: fences of J, voter changes, first entries of leaders. */
#ifndef K
#define K 3
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef LEADERS
#define LEADERS 2
#endif

#define J 0
#define EMPTY 0
#define FENCE 1
#define VOTERS 2

byte kind[K + 1];       /* of entry i; the first is 1 */
byte voters[K + 1];     /* after entry i, one bit each */
byte log[N];            /* entries in the node's log */
byte dur[N];            /* of these, on its disk */
byte h[N];              /* ticks since the node last acknowledged J (or started), at most T */
byte v[N];              /* J: ticks since it sent what the node acknowledged last, at most T */
#ifdef F2A
byte told[N];           /* the leader: silence as the node told it, aged since; T + 1 is nothing told */
#endif
bool newer[N];          /* the node has heard a newer life of J */
byte lead = 1;
bool leads = true;
byte leaders = 1;
byte own;               /* the leader's first entry; 0 for the founder's */
byte com;               /* committed, as the leader knows */
byte fence;             /* where the fence of J stands; 0 is nowhere */
byte changed = T;       /* ticks since a voter change was committed (or a leader's first entry), at most T */
byte settled;           /* ticks since the leader's first entry was committed, at most T */
byte crashes;
bool effect;            /* the leader found the fence in effect: another node may have the address */

/* Only within steps; always zero between them. */
byte i, m, c;
bool ok;

#define BIT(x) (1 << (x))
#define KNOWS(x) (fence != 0 && log[x] >= fence)

/* Counts the bits of `mask` into m. */
inline size(mask) {
    m = 0; i = 0;
    do
    :: i < N -> m = m + ((mask >> i) & 1); i++
    :: else -> break
    od;
    i = 0
}

/* J has a lease by what it knows: whoever knows its own fence has none. */
inline holding() {
    ok = false;
    if
    :: KNOWS(J) -> skip
    :: else ->
        size(voters[log[J]]);
        c = 0; i = 0;
        do
        :: i < N ->
            if
            :: (voters[log[J]] & BIT(i)) && (i == J || v[i] < T) -> c++
            :: else -> skip
            fi;
            i++
        :: else -> break
        od;
        ok = (c * 2 > m)
    fi;
    i = 0; m = 0; c = 0
}

inline check() {
    holding();
    assert(!(effect && ok));
    ok = false
}

/* Whether the silence of node i counts, and is long enough. */
#ifdef F2A
#define TOLD(x) (told[x] >= T && told[x] != T + 1 && dur[x] >= fence)
#else
#define TOLD(x) (KNOWS(x) && dur[x] >= fence && h[x] >= T)
#endif
#ifdef F2B
#define OWN(x) (KNOWS(x) && h[x] >= T)
#else
#define OWN(x) (KNOWS(x) && dur[x] >= fence && h[x] >= T)
#endif

/* ok: a majority of the voters before the fence has been silent for a lease. */
inline waited() {
    size(voters[fence - 1]);
    c = 0; i = 0;
    do
    :: i < N ->
        if
        :: i != J && (voters[fence - 1] & BIT(i)) && ((i == lead && OWN(i)) || (i != lead && TOLD(i))) -> c++
        :: else -> skip
        fi;
        i++
    :: else -> break
    od;
    ok = (c * 2 > m);
    i = 0; m = 0; c = 0
}

/* ok: entry com + 1 is on the disks of a majority of the newest voters. */
inline held() {
    size(voters[log[lead]]);
    c = 0; i = 0;
    do
    :: i < N ->
        if
        :: (voters[log[lead]] & BIT(i)) && dur[i] > com -> c++
        :: else -> skip
        fi;
        i++
    :: else -> break
    od;
    ok = (c * 2 > m);
    i = 0; m = 0; c = 0
}

/* ok: a voter change is in the leader's log and not committed. */
inline changing() {
    ok = false;
    i = com + 1;
    do
    :: i <= log[lead] ->
        if
        :: kind[i] == VOTERS -> ok = true
        :: else -> skip
        fi;
        i++
    :: else -> break
    od;
    i = 0
}

inline append(what, mask) {
    kind[log[lead] + 1] = what;
    voters[log[lead] + 1] = mask;
    log[lead] = log[lead] + 1;
#if CRASHES == 0
    dur[lead] = log[lead]
#endif
}

inline age(x) {
    if
    :: x < T -> x++
    :: else -> skip
    fi
}

inline tick() {
    printf("@ tick\n");
    c = 0;
    do
    :: c < N ->
        age(h[c]); age(v[c]);
#ifdef F2A
        age(told[c]);
#endif
        c++
    :: else -> break
    od;
    c = 0;
    age(changed);
    if
    :: com >= own -> age(settled)
    :: else -> skip
    fi
}

active proctype cluster() {
    byte n, x;
    d_step {
        n = 0;
        do
        :: n < N ->
            h[n] = T; v[n] = T;
#ifdef F2A
            told[n] = T + 1;
#endif
            voters[0] = voters[0] | BIT(n); n++
        :: else -> break
        od;
        n = 0
    }
    /* Voters to begin with: all, or fewer, but J, the leader and a third always. */
    n = 3;
    do
    :: n < N -> if :: voters[0] = voters[0] & ~BIT(n) :: skip fi; n++
    :: else -> break
    od;
    n = 0;

    do
    /* J is heard and acknowledged by n: not by who knows its fence, nor by who knows a newer life. */
    :: atomic { select(n : 1 .. N - 1); d_step {
        if
        :: !KNOWS(n) && !newer[n] && !KNOWS(J) && (h[n] != 0 || v[n] != 0) ->
            printf("@ %d acknowledges J\n", n);
            h[n] = 0;
#ifndef EPOCH
            if :: log[n] <= log[J] -> v[n] = 0 :: else -> skip fi
#else
            v[n] = 0
#endif
        :: else -> skip
        fi; n = 0; check() } }

    /* The next entry reaches n. */
    :: atomic { leads -> select(n : 0 .. N - 1); d_step {
        if
        :: n != lead && log[n] < log[lead] -> printf("@ entry %d reaches %d\n", log[n] + 1, n); log[n] = log[n] + 1;
#if CRASHES == 0
            dur[n] = log[n]
#endif
        :: else -> skip
        fi; n = 0; check() } }

#if CRASHES > 0
    /* What n has is on its disk. */
    :: atomic { select(n : 0 .. N - 1); d_step {
        if
        :: dur[n] < log[n] -> dur[n] = log[n]; printf("@ entry %d is on the disk of %d\n", log[n], n)
        :: else -> skip
        fi; n = 0 } }

    /* n crashes and is back at once. */
    :: atomic { crashes < CRASHES -> select(n : 1 .. N - 1); d_step {
        crashes++; printf("@ %d crashes and starts with entry %d\n", n, dur[n]);
        log[n] = dur[n];
#ifdef START
        h[n] = T;
#else
        h[n] = 0;
#endif
        if :: n == lead -> leads = false :: else -> skip fi;
        n = 0; check() } }

    /* Another leads, whoever has the longest log: so much is enough here. */
    :: atomic { !leads && leaders < LEADERS -> select(n : 1 .. N - 1); d_step {
        ok = true; i = 0;
        do
        :: i < N -> if :: log[i] > log[n] -> ok = false :: else -> skip fi; i++
        :: else -> break
        od;
        i = 0;
        if
        :: ok && log[n] < K ->
            ok = false; printf("@ %d leads\n", n);
            lead = n; leads = true; leaders++; settled = 0; changed = 0;
            if :: fence > log[n] -> fence = 0 :: else -> skip fi;
            append(EMPTY, voters[log[lead]]); own = log[lead];
            i = own + 1;
            do
            :: i <= K -> kind[i] = EMPTY; voters[i] = 0; i++
            :: else -> break
            od;
            i = 0;
#ifdef F2A
            do
            :: i < N -> told[i] = T + 1; i++
            :: else -> break
            od;
            i = 0
#endif
        :: else -> ok = false
        fi; n = 0 } }
#endif

#ifdef F2A
    /* n tells how long it has been silent, of whatever is in its log. */
    :: atomic { leads -> select(n : 1 .. N - 1); d_step {
        if
        :: n != lead && KNOWS(n) && (told[n] == T + 1 || told[n] < h[n]) -> told[n] = h[n]; printf("@ %d tells %d ticks\n", n, h[n])
        :: else -> skip
        fi; n = 0 } }
#endif

    /* n hears a newer life of J, which is J's own or a copy's. */
    :: atomic { select(n : 1 .. N - 1); d_step {
        newer[n] = true; printf("@ %d hears a newer life\n", n);
#ifdef F3
        if :: !KNOWS(n) -> h[n] = T :: else -> skip fi;
#endif
        n = 0 } }

    /* The leader fences J. */
    :: d_step { leads && fence == 0 && log[lead] < K && com >= own ->
        printf("@ fence at %d\n", log[lead] + 1); append(FENCE, voters[log[lead]]); fence = log[lead]; check() }

    /* The leader changes who votes, by one. */
    :: atomic { (leads && log[lead] < K && com >= own
#ifndef F1
        && changed >= T
#endif
        ) -> select(x : 0 .. N - 1); d_step {
        changing();
        if
        :: !ok && x != lead ->
            size(voters[log[lead]]);
            if
            :: (voters[log[lead]] & BIT(x)) && m > 3 -> printf("@ %d votes no more by %d\n", x, log[lead] + 1); append(VOTERS, voters[log[lead]] & ~BIT(x))
            :: !(voters[log[lead]] & BIT(x)) -> printf("@ %d votes by %d\n", x, log[lead] + 1); append(VOTERS, voters[log[lead]] | BIT(x))
            :: else -> skip
            fi
        :: else -> skip
        fi; ok = false; m = 0; x = 0; check() } }

    /* The leader sees that a majority has the next entry. */
    :: d_step { leads && com < log[lead] -> held();
        if
        :: ok && (own == 0 || com + 1 >= own || log[lead] >= own) ->
            com++; printf("@ entry %d is committed\n", com);
            if
            :: kind[com] == VOTERS || com == own -> changed = 0
            :: else -> skip
            fi
        :: else -> skip
        fi; ok = false }

    /* The leader finds the fence in effect, by what it was told or because it has waited itself. */
    :: d_step { leads && !effect && fence != 0 && com >= fence && com >= own ->
        waited();
#ifdef WAIT
        ok = true;
#endif
#ifdef F3B
        ok = ok || newer[lead];
#endif
        if
        :: fence > own -> skip
        :: else ->
#ifdef VOUCH
            ok = true
#else
            ok = (settled >= T)
#endif
        fi;
        effect = ok; ok = false;
        if :: effect -> printf("@ in effect\n") :: else -> skip fi;
        check() }

    /* Time passes. */
    :: d_step { tick(); check() }
    od
}
