/* Bidirectional LSTMs: what words bring to them, their recurrent half, and the scores of tags from their hidden states.
 * See registry/word_network.py and registry/recurrence.py for what comes in, and for the formulas. */
#include "kernels.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    ptrdiff_t width, padded, scored;
    float *hidden;  /* (rows, units) of one direction */
    float *gates;   /* (rows of a step, 4 units) */
    float *cells;   /* (rows of a step, padded) */
    float *bent;    /* (padded) */
    float *scores;  /* (rows, scored) */
    const float **left, **first;
    float **out;
} Room;

typedef struct {
    float *inputs, *nothing; /* (words, size); (filters) */
    const float **left, **first;
    float **out;
} Entrance;

#define INLINE static inline __attribute__((always_inline))

#define VECTOR 4
#define PROCESSOR
#define NAMED(name) name##_anywhere
#include "lstm_steps.h"
#undef VECTOR
#undef PROCESSOR
#undef NAMED

#ifdef SEVERAL_PROCESSORS
#define VECTOR 8
#define PROCESSOR __attribute__((target("arch=x86-64-v3")))
#define NAMED(name) name##_v3
#include "lstm_steps.h"
#undef VECTOR
#undef PROCESSOR
#undef NAMED

#define VECTOR 16
#define PROCESSOR __attribute__((target("arch=x86-64-v4")))
#define NAMED(name) name##_v4
#include "lstm_steps.h"
#undef VECTOR
#undef PROCESSOR
#undef NAMED
#endif

typedef struct {
    const char *name;
    void (*emit)(const Lstm *net, const Room *room);
    void (*enter)(const Entering *net, ptrdiff_t size, const Entrance *room);
} Kind;

/* The best this machine can run comes first, what runs anywhere last. */
static Kind kinds[] = {
#ifdef SEVERAL_PROCESSORS
    {"x86-64-v4", emit_v4, enter_v4},
    {"x86-64-v3", emit_v3, enter_v3},
#endif
    {"any", emit_anywhere, enter_anywhere},
};
static const Kind *chosen;

static int runs(const char *name) {
#ifdef SEVERAL_PROCESSORS
    if (!strcmp(name, "x86-64-v4"))
        return __builtin_cpu_supports("x86-64-v4");
    if (!strcmp(name, "x86-64-v3"))
        return __builtin_cpu_supports("x86-64-v3");
#endif
    return !strcmp(name, "any");
}

const char *lstm_choose(const char *name) {
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++)
        if (runs(kinds[kind].name) && (!name || !strcmp(name, kinds[kind].name))) {
            chosen = &kinds[kind];
            return chosen->name;
        }
    return NULL;
}

static int furnish(Room *room, const Lstm *net) {
    const size_t rows = (size_t)net->rows, most = (size_t)(net->starts[1] - net->starts[0]);
    room->width = 4 * net->units;
    room->padded = (net->units + LANES - 1) / LANES * LANES;
    room->scored = (net->tags + LANES - 1) / LANES * LANES;
    room->hidden = malloc(sizeof(float) * rows * (size_t)net->units);
    room->gates = malloc(sizeof(float) * most * (size_t)room->width);
    room->cells = malloc(sizeof(float) * most * (size_t)room->padded);
    room->bent = malloc(sizeof(float) * (size_t)room->padded);
    room->scores = calloc(rows * (size_t)room->scored, sizeof(float));
    room->left = malloc(sizeof(float *) * rows);
    room->first = malloc(sizeof(float *) * rows);
    room->out = malloc(sizeof(float *) * rows);
    return room->hidden && room->gates && room->cells && room->bent && room->scores && room->left && room->first &&
           room->out;
}

static void clear(Room *room) {
    free(room->hidden), free(room->gates), free(room->cells), free(room->bent), free(room->scores);
    free(room->left), free(room->first), free(room->out);
}

int lstm_emit(const Lstm *net) {
    Room room;
    int furnished = furnish(&room, net);
    if (furnished)
        chosen->emit(net, &room);
    for (ptrdiff_t row = 0; furnished && row < net->rows; row++)
        for (ptrdiff_t tag = 0; tag < net->tags; tag++)
            net->emissions[row * net->tags + tag] = room.scores[row * room.scored + tag] + net->bias[tag];
    clear(&room);
    return furnished ? 0 : -1;
}

int lstm_enter(const Entering *net) {
    const size_t words = (size_t)net->count;
    const ptrdiff_t size = net->word_size + net->pieces * net->piece_size + net->filters;
    Entrance room = {
        .inputs = malloc(sizeof(float) * words * (size_t)size),
        .nothing = calloc((size_t)net->filters, sizeof(float)),
        .left = malloc(sizeof(float *) * words),
        .first = malloc(sizeof(float *) * words),
        .out = malloc(sizeof(float *) * words),
    };
    int furnished = room.inputs && room.nothing && room.left && room.first && room.out;
    if (furnished)
        chosen->enter(net, size, &room);
    free(room.inputs), free(room.nothing), free(room.left), free(room.first), free(room.out);
    return furnished ? 0 : -1;
}
