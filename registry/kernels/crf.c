/* The best tags of sentences and the probabilities of what they say. See registry/crf.py for the formulas: this is the
 * same in one pass for each sentence, in float64. */
#include "kernels.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* As in registry/crf.py: a tag this far below the best of its token counts as exactly this far. */
#define DEEPEST (-300.0)

typedef struct {
    double *scores, *potentials, *forward, *backward; /* (tokens, tags) */
    double *scales, *weights;                         /* (tokens) */
    double *turned;                                   /* (tags, tags): steps by what they lead to */
    double *row;                                      /* (tags) */
    int *path;                                        /* (tokens) */
    float *emissions;                                 /* (tokens, tags) of one sentence */
} Room;

/* Scores of the best way to each tag of each token, then back along it. */
EVERY_PROCESSOR
static void best_path(const Crf *crf, ptrdiff_t length, const Room *room) {
    const ptrdiff_t tags = crf->tags;
    const float *emissions = room->emissions;
    for (ptrdiff_t tag = 0; tag < tags; tag++)
        room->scores[tag] = emissions[tag] + crf->opening[tag];
    for (ptrdiff_t token = 1; token < length; token++) {
        const double *before = room->scores + (token - 1) * tags;
        double *restrict best = room->scores + token * tags;
        for (ptrdiff_t tag = 0; tag < tags; tag++)
            best[tag] = -INFINITY;
        for (ptrdiff_t from = 0; from < tags; from++) {
            const double *steps = crf->transitions + from * tags;
            for (ptrdiff_t tag = 0; tag < tags; tag++) {
                double score = before[from] + steps[tag];
                best[tag] = score > best[tag] ? score : best[tag];
            }
        }
        for (ptrdiff_t tag = 0; tag < tags; tag++)
            best[tag] += emissions[token * tags + tag];
    }
    ptrdiff_t into = -1;
    for (ptrdiff_t token = length - 1; token >= 0; token--) {
        const double *scores = room->scores + token * tags;
        double highest = -INFINITY;
        ptrdiff_t found = 0;
        for (ptrdiff_t tag = 0; tag < tags; tag++) {
            double score = scores[tag] + (into < 0 ? crf->ending[tag] : crf->transitions[tag * tags + into]);
            if (score > highest) {
                highest = score;
                found = tag;
            }
        }
        room->path[token] = (int)found;
        into = found;
    }
}

EVERY_PROCESSOR
static void find_potentials(const Crf *crf, ptrdiff_t length, const Room *room) {
    const ptrdiff_t tags = crf->tags;
    for (ptrdiff_t token = 0; token < length; token++) {
        const float *scores = room->emissions + token * tags;
        double *potentials = room->potentials + token * tags, highest = -INFINITY;
        for (ptrdiff_t tag = 0; tag < tags; tag++) {
            potentials[tag] = (double)(scores[tag] * crf->cooling);
            highest = potentials[tag] > highest ? potentials[tag] : highest;
        }
        for (ptrdiff_t tag = 0; tag < tags; tag++) {
            double below = potentials[tag] - highest;
            potentials[tag] = exp(below > DEEPEST ? below : DEEPEST);
        }
    }
}

/* sums = row @ matrix, (tags) by (tags, tags). */
static inline __attribute__((always_inline)) void spread(ptrdiff_t tags, const double *row, const double *matrix,
                                                         double *restrict sums) {
    for (ptrdiff_t tag = 0; tag < tags; tag++)
        sums[tag] = 0.0;
    for (ptrdiff_t from = 0; from < tags; from++)
        for (ptrdiff_t tag = 0; tag < tags; tag++)
            sums[tag] += row[from] * matrix[from * tags + tag];
}

/* Rows of `forward` sum to one after their division by `scales`; those of `backward` have 1 as their largest. */
EVERY_PROCESSOR
static void both_ways(const Crf *crf, ptrdiff_t length, const Room *room) {
    const ptrdiff_t tags = crf->tags;
    for (ptrdiff_t token = 0; token < length; token++) {
        double *restrict forward = room->forward + token * tags;
        const double *potentials = room->potentials + token * tags;
        double scale = 0.0;
        if (token)
            spread(tags, forward - tags, crf->steps, forward);
        else
            memcpy(forward, crf->start, sizeof(double) * (size_t)tags);
        for (ptrdiff_t tag = 0; tag < tags; tag++)
            scale += forward[tag] *= potentials[tag];
        for (ptrdiff_t tag = 0; tag < tags; tag++)
            forward[tag] /= scale;
        room->scales[token] = scale;
    }
    for (ptrdiff_t token = length - 1; token >= 0; token--) {
        double *restrict backward = room->backward + token * tags;
        const double *forward = room->forward + token * tags;
        double highest = 0.0, weight = 0.0;
        if (token < length - 1) {
            const double *after = backward + tags, *potentials = room->potentials + (token + 1) * tags;
            for (ptrdiff_t tag = 0; tag < tags; tag++)
                room->row[tag] = after[tag] * potentials[tag];
            spread(tags, room->row, room->turned, backward);
        } else {
            memcpy(backward, crf->end, sizeof(double) * (size_t)tags);
        }
        for (ptrdiff_t tag = 0; tag < tags; tag++)
            highest = backward[tag] > highest ? backward[tag] : highest;
        for (ptrdiff_t tag = 0; tag < tags; tag++) {
            backward[tag] /= highest;
            weight += forward[tag] * backward[tag];
        }
        room->weights[token] = weight;
    }
}

/* Where the span that starts at `first` ends, and in `found` the share of all paths that hold exactly this span:
 * `_Paths.probability` of registry/crf.py. */
static ptrdiff_t span_share(const Crf *crf, ptrdiff_t length, const Room *room, ptrdiff_t first, double *found) {
    const ptrdiff_t tags = crf->tags, inside = crf->inside[room->path[first]];
    ptrdiff_t state = room->path[first], end = first + 1;
    double share = room->forward[first * tags + state], onward = 0.0;
    for (; end < length && room->path[end] == inside; end++) {
        share *= crf->steps[state * tags + inside] * room->potentials[end * tags + inside] / room->scales[end];
        state = inside;
    }
    if (end == length) {
        for (ptrdiff_t tag = 0; tag < tags; tag++)
            onward += room->forward[(end - 1) * tags + tag] * crf->end[tag];
        *found = share * crf->end[state] / onward;
        return end;
    }
    for (ptrdiff_t tag = 0; tag < tags; tag++)
        if (tag != inside)
            onward += crf->steps[state * tags + tag] * room->potentials[end * tags + tag] *
                      room->backward[end * tags + tag];
    *found = share * onward / (room->scales[end] * room->weights[end]);
    return end;
}

/* `count` spans were found before; how many were found with this sentence's. */
static ptrdiff_t decode_sentence(const Crf *crf, ptrdiff_t sentence, const Room *room, ptrdiff_t count) {
    const ptrdiff_t tags = crf->tags, length = crf->lengths[sentence], begin = sentence * crf->tokens;
    for (ptrdiff_t token = 0; token < length; token++)
        memcpy(room->emissions + token * tags, crf->emissions + (crf->first[token] + sentence * crf->stride) * tags,
               sizeof(float) * (size_t)tags);
    best_path(crf, length, room);
    find_potentials(crf, length, room);
    both_ways(crf, length, room);
    for (ptrdiff_t token = 0; token < length; token++) {
        double starts = 0.0;
        for (ptrdiff_t tag = 0; tag < tags; tag++)
            if (crf->inside[tag] >= 0)
                starts += room->forward[token * tags + tag] * room->backward[token * tags + tag];
        crf->starts[begin + token] = starts / room->weights[token];
    }
    for (ptrdiff_t token = 0; token < length;) {
        if (crf->inside[room->path[token]] < 0) {
            token++;
            continue;
        }
        ptrdiff_t end = span_share(crf, length, room, token, &crf->shares[count]);
        const int span[] = {(int)sentence, (int)token, (int)end, room->path[token]};
        memcpy(crf->spans + 4 * count++, span, sizeof span);
        token = end;
    }
    return count;
}

ptrdiff_t crf_decode(const Crf *crf) {
    const size_t tags = (size_t)crf->tags, tokens = (size_t)crf->tokens, cells = tokens * tags;
    double *memory = malloc(sizeof(double) * (4 * cells + 2 * tokens + tags * tags + tags) +
                            sizeof(int) * tokens + sizeof(float) * cells);
    if (!memory)
        return -1;
    Room room = {.scores = memory, .potentials = memory + cells, .forward = memory + 2 * cells};
    room.backward = memory + 3 * cells;
    room.scales = memory + 4 * cells;
    room.weights = room.scales + tokens;
    room.turned = room.weights + tokens;
    room.row = room.turned + tags * tags;
    room.path = (int *)(room.row + tags);
    room.emissions = (float *)(room.path + tokens);
    for (size_t from = 0; from < tags; from++)
        for (size_t tag = 0; tag < tags; tag++)
            room.turned[tag * tags + from] = crf->steps[from * tags + tag];
    ptrdiff_t count = 0;
    for (ptrdiff_t sentence = 0; sentence < crf->sentences; sentence++)
        count = decode_sentence(crf, sentence, &room, count);
    free(memory);
    return count;
}
