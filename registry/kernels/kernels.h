/* What the parts of registry._kernels share. Nothing in here touches Python: callers check shapes and let go of the
 * interpreter first. */
#ifndef NER_KERNELS_H
#define NER_KERNELS_H

#include <stddef.h>
#include <stdlib.h> /* defines __GLIBC__ where there is one */

/* One function for several generations of processors, chosen when the module is loaded. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#define SEVERAL_PROCESSORS
#define EVERY_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define EVERY_PROCESSOR
#endif

#define LANES 16

/* Columns of a matrix in panels of LANES: (panels, rows, LANES), the last one padded with zeros. */
typedef const float *Panels;

typedef struct {
    ptrdiff_t directions, words, rows, steps, units, tags;
    const float *gates;      /* (words, directions, 4 units): input, forget, output, candidate */
    const ptrdiff_t *places; /* (rows): which word a row is */
    const ptrdiff_t *turned; /* (rows): the same step counted from the sequence's end */
    const ptrdiff_t *starts; /* (steps + 1): first row of each step, never more rows than the step before */
    Panels recurrent;        /* for each direction, (4 units / LANES, units, LANES) */
    Panels kernel;           /* for each direction, (tags / LANES rounded up, units, LANES) */
    const float *bias;       /* (tags) */
    float *emissions;        /* out, (rows, tags) */
} Lstm;

/* What words bring to the gates of one network's LSTM: their own vector, those of their pieces and the maxima of a
 * convolution over their characters, through the input kernels of both directions. */
typedef struct {
    ptrdiff_t count, pieces, letters; /* words; pieces and characters of each */
    ptrdiff_t word_rows, word_size, piece_rows, piece_size, letter_rows, filters;
    ptrdiff_t width, stride; /* gates of this network, 8 units; gates of all networks */
    const int *rows;         /* (count, 1 + pieces + letters): ids */
    const float *words;      /* (word_rows, word_size) */
    const float *piece;      /* (piece_rows, piece_size) */
    const float *taps;       /* (letter_rows, 3, filters): of each character, what it brings to the place behind it,
                              * to its own and to the one before it */
    const float *lift;       /* (filters): the convolution's bias */
    Panels kernel;           /* (width / LANES, word_size + pieces * piece_size + filters, LANES) */
    const float *bias;       /* (width) */
    float *gates;            /* out, (count, stride), of which the first `width` of each row are written */
} Entering;

/* 0, or -1 without memory. */
int lstm_enter(const Entering *network);

/* What `lstm_emit` and `lstm_enter` are to be compiled for: the name of the best kind of processor that this one is, or the named one
 * (NULL where this machine cannot run it). To be called once before either. */
const char *lstm_choose(const char *name);

/* 0, or -1 without memory. */
int lstm_emit(const Lstm *network);

typedef struct {
    ptrdiff_t sentences, tokens, tags;
    const float *emissions; /* (rows, tags): token t of sentence s is the row first[t] + s * stride */
    const ptrdiff_t *first; /* (tokens) */
    ptrdiff_t stride;
    const int *lengths; /* (sentences) */
    const double *transitions, *opening, *ending; /* for the best path: (tags, tags), (tags), (tags), logarithms */
    const double *steps, *start, *end;            /* for probabilities: the same after the temperature, not logarithms */
    const int *inside;                            /* (tags): of a B tag its I tag, -1 for every other */
    float cooling;                                /* one through the temperature */
    int *spans;     /* out, (up to sentences * tokens, 4): sentence, first token, token after the last, B tag */
    double *shares; /* out, (up to sentences * tokens): the probability of each span */
    double *starts; /* out, (sentences, tokens): the probability of any B tag; untouched past a sentence's end */
} Crf;

/* How many spans were found, or -1 without memory. */
ptrdiff_t crf_decode(const Crf *crf);

#endif
