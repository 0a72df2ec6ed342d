/* registry._kernels: arrays in and out by the buffer protocol, so that building it needs no more than Python's own
 * headers. Every array is checked before the interpreter is let go. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "kernels.h"

#include <stdlib.h>
#include <string.h>

#define MOST_ARRAYS 20

typedef struct {
    Py_buffer views[MOST_ARRAYS];
    int count;
} Arrays;

static void release(Arrays *arrays) {
    while (arrays->count)
        PyBuffer_Release(&arrays->views[--arrays->count]);
}

/* None; NULL, with an exception set, where it was not done. */
static PyObject *finished(Arrays *arrays, int done) {
    release(arrays);
    if (!done)
        return NULL;
    Py_RETURN_NONE;
}

/* A contiguous array of one kind of number ('f', 'd', 'i' or 'l', which stands for every integer as wide as an
 * address) and of `cells` numbers; NULL with an exception set where it is another. */
static void *take(Arrays *arrays, PyObject *object, const char *name, char kind, Py_ssize_t cells, int writable) {
    Py_buffer *view = &arrays->views[arrays->count];
    if (PyObject_GetBuffer(object, view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0)) < 0)
        return NULL;
    arrays->count++;
    const char *format = view->format ? view->format : "B";
    int fits = kind == 'l' ? strchr("lqn", *format) && view->itemsize == (Py_ssize_t)sizeof(ptrdiff_t) : *format == kind;
    if (!fits || format[1] || view->len != cells * view->itemsize) {
        PyErr_Format(PyExc_ValueError, "%s: %zd numbers of kind '%c' are needed, not %zd bytes of '%s'", name, cells,
                     kind, view->len, format);
        return NULL;
    }
    return view->buf;
}

static int within(const ptrdiff_t *places, ptrdiff_t count, ptrdiff_t end, const char *name) {
    for (ptrdiff_t number = 0; number < count; number++)
        if (places[number] < 0 || places[number] >= end) {
            PyErr_Format(PyExc_ValueError, "%s: %zd is not below %zd", name, (Py_ssize_t)places[number], (Py_ssize_t)end);
            return 0;
        }
    return 1;
}

static int falling(const ptrdiff_t *starts, ptrdiff_t steps, ptrdiff_t rows) {
    int right = starts[0] == 0 && starts[steps] == rows;
    for (ptrdiff_t step = 1; step <= steps; step++) {
        ptrdiff_t count = starts[step] - starts[step - 1];
        right = right && count >= 0 && (step == 1 || count <= starts[step - 1] - starts[step - 2]);
    }
    if (!right)
        PyErr_SetString(PyExc_ValueError, "starts: no step may have more rows than the one before");
    return right;
}

static ptrdiff_t panelled(ptrdiff_t columns) { return (columns + LANES - 1) / LANES * LANES; }

static int has_sizes(const Lstm *net) {
    if (net->directions >= 1 && net->rows >= 1 && net->steps >= 1 && net->units >= 1 && net->tags >= 1 &&
        4 * net->units % LANES == 0)
        return 1;
    PyErr_SetString(PyExc_ValueError, "every size must be at least 1, and units a multiple of 4");
    return 0;
}

static int take_network(Arrays *arrays, Lstm *net, PyObject *gates, PyObject *recurrent, PyObject *kernel,
                        PyObject *bias) {
    const ptrdiff_t matrices = net->directions * net->units;
    return (net->gates = take(arrays, gates, "gates", 'f', net->words * 4 * matrices, 0)) &&
           (net->recurrent = take(arrays, recurrent, "recurrent", 'f', matrices * 4 * net->units, 0)) &&
           (net->kernel = take(arrays, kernel, "kernel", 'f', matrices * panelled(net->tags), 0)) &&
           (net->bias = take(arrays, bias, "bias", 'f', net->tags, 0));
}

PyDoc_STRVAR(emit_doc, "emit(sizes, gates, places, turned, starts, recurrent, kernel, bias, emissions)\n\n"
                       "Scores of tags into `emissions`. `sizes`: directions, words, rows, steps, units, tags.");

static PyObject *emit(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *gates, *places, *turned, *starts, *recurrent, *kernel, *bias, *emissions;
    Lstm net;
    if (!PyArg_ParseTuple(args, "(nnnnnn)OOOOOOOO", &net.directions, &net.words, &net.rows, &net.steps, &net.units,
                          &net.tags, &gates, &places, &turned, &starts, &recurrent, &kernel, &bias, &emissions) ||
        !has_sizes(&net))
        return NULL;
    Arrays arrays = {.count = 0};
    int done = take_network(&arrays, &net, gates, recurrent, kernel, bias) &&
               (net.places = take(&arrays, places, "places", 'l', net.rows, 0)) &&
               (net.turned = take(&arrays, turned, "turned", 'l', net.rows, 0)) &&
               (net.starts = take(&arrays, starts, "starts", 'l', net.steps + 1, 0)) &&
               (net.emissions = take(&arrays, emissions, "emissions", 'f', net.rows * net.tags, 1)) &&
               within(net.places, net.rows, net.words, "places") && within(net.turned, net.rows, net.rows, "turned") &&
               falling(net.starts, net.steps, net.rows);
    if (done) {
        Py_BEGIN_ALLOW_THREADS
        done = !lstm_emit(&net);
        Py_END_ALLOW_THREADS
        if (!done)
            PyErr_NoMemory();
    }
    return finished(&arrays, done);
}

static int long_enough(const int *lengths, ptrdiff_t sentences, ptrdiff_t tokens) {
    for (ptrdiff_t number = 0; number < sentences; number++)
        if (lengths[number] < 1 || lengths[number] > tokens) {
            PyErr_Format(PyExc_ValueError, "lengths: %d is not from 1 to %zd", lengths[number], (Py_ssize_t)tokens);
            return 0;
        }
    return 1;
}

static int tags_exist(const int *inside, ptrdiff_t tags) {
    for (ptrdiff_t tag = 0; tag < tags; tag++)
        if (inside[tag] < -1 || inside[tag] >= tags) {
            PyErr_Format(PyExc_ValueError, "inside: %d is not a tag", inside[tag]);
            return 0;
        }
    return 1;
}

/* The objects of a CRF and of what is found with it, as both `decode` and `tag` take them. */
typedef struct {
    PyObject *transitions, *opening, *ending, *steps, *start, *end, *inside, *spans, *shares, *starts;
} CrfObjects;

static int take_crf(Arrays *arrays, Crf *crf, const CrfObjects *given) {
    const ptrdiff_t tags = crf->tags, tokens = crf->sentences * crf->tokens;
    return (crf->transitions = take(arrays, given->transitions, "transitions", 'd', tags * tags, 0)) &&
           (crf->opening = take(arrays, given->opening, "opening", 'd', tags, 0)) &&
           (crf->ending = take(arrays, given->ending, "ending", 'd', tags, 0)) &&
           (crf->steps = take(arrays, given->steps, "steps", 'd', tags * tags, 0)) &&
           (crf->start = take(arrays, given->start, "start", 'd', tags, 0)) &&
           (crf->end = take(arrays, given->end, "end", 'd', tags, 0)) &&
           (crf->inside = take(arrays, given->inside, "inside", 'i', tags, 0)) &&
           (crf->spans = take(arrays, given->spans, "spans", 'i', 4 * tokens, 1)) &&
           (crf->shares = take(arrays, given->shares, "shares", 'd', tokens, 1)) &&
           (crf->starts = take(arrays, given->starts, "starts", 'd', tokens, 1)) && tags_exist(crf->inside, tags);
}

PyDoc_STRVAR(decode_doc,
             "decode(sizes, emissions, lengths, best, probable, inside, cooling, spans, shares, starts) -> how many spans\n\n"
             "The spans of the best tags into `spans`, their probabilities into `shares`, and that of any start of an\n"
             "entity at each token into `starts`. `sizes`: sentences, tokens, tags; `best` and `probable`: scores of\n"
             "steps, of starts and of ends, as logarithms and not.");

static PyObject *decode(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *emissions, *lengths;
    CrfObjects given;
    Crf crf;
    if (!PyArg_ParseTuple(args, "(nnn)OO(OOO)(OOO)OfOOO", &crf.sentences, &crf.tokens, &crf.tags, &emissions, &lengths,
                          &given.transitions, &given.opening, &given.ending, &given.steps, &given.start, &given.end,
                          &given.inside, &crf.cooling, &given.spans, &given.shares, &given.starts))
        return NULL;
    Arrays arrays = {.count = 0};
    ptrdiff_t count = -1, *first = NULL;
    if (take_crf(&arrays, &crf, &given) &&
        (crf.emissions = take(&arrays, emissions, "emissions", 'f', crf.sentences * crf.tokens * crf.tags, 0)) &&
        (crf.lengths = take(&arrays, lengths, "lengths", 'i', crf.sentences, 0)) &&
        long_enough(crf.lengths, crf.sentences, crf.tokens)) {
        first = malloc(sizeof *first * (size_t)crf.tokens);
        for (ptrdiff_t token = 0; first && token < crf.tokens; token++)
            first[token] = token;
        crf.first = first;
        crf.stride = crf.tokens;
        Py_BEGIN_ALLOW_THREADS
        count = first ? crf_decode(&crf) : -1;
        Py_END_ALLOW_THREADS
        if (count < 0)
            PyErr_NoMemory();
    }
    free(first);
    release(&arrays);
    return count < 0 ? NULL : PyLong_FromSsize_t(count);
}

/* Rows by step, of sentences that follow one another in `places`, the longest first: what registry/sequences.py packs. */
typedef struct {
    ptrdiff_t *memory, *starts, *places, *turned;
} Packed;

static int pack(Packed *packed, const ptrdiff_t *places, const int *lengths, ptrdiff_t sentences, ptrdiff_t rows) {
    const ptrdiff_t steps = lengths[0];
    packed->memory = malloc(sizeof *packed->memory * (size_t)(steps + 1 + 2 * rows));
    if (!packed->memory)
        return -1;
    packed->starts = packed->memory;
    packed->places = packed->starts + steps + 1;
    packed->turned = packed->places + rows;
    packed->starts[0] = 0;
    for (ptrdiff_t step = 0, count = sentences; step < steps; step++) {
        while (lengths[count - 1] <= step)
            count--;
        packed->starts[step + 1] = packed->starts[step] + count;
    }
    for (ptrdiff_t sentence = 0, word = 0; sentence < sentences; sentence++)
        for (ptrdiff_t step = 0; step < lengths[sentence]; step++, word++) {
            ptrdiff_t row = packed->starts[step] + sentence;
            packed->places[row] = places[word];
            packed->turned[row] = packed->starts[lengths[sentence] - 1 - step] + sentence;
        }
    return 0;
}

static int longest_first(const int *lengths, ptrdiff_t sentences, ptrdiff_t tokens, ptrdiff_t words) {
    ptrdiff_t all = 0;
    int right = long_enough(lengths, sentences, tokens);
    for (ptrdiff_t number = 0; right && number < sentences; number++) {
        all += lengths[number];
        right = number ? lengths[number] <= lengths[number - 1] : lengths[0] == tokens;
    }
    if ((!right || all != words) && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "lengths: the longest must come first, and their sum be the number of words");
    return right && all == words;
}

static ptrdiff_t run_both(Lstm *net, Crf *crf, const ptrdiff_t *places) {
    Packed packed;
    ptrdiff_t count = -1;
    if (pack(&packed, places, crf->lengths, crf->sentences, net->rows))
        return -1;
    net->places = packed.places, net->turned = packed.turned, net->starts = packed.starts;
    crf->first = packed.starts, crf->stride = 1;
    net->emissions = malloc(sizeof(float) * (size_t)(net->rows * net->tags));
    crf->emissions = net->emissions;
    if (net->emissions && !lstm_emit(net))
        count = crf_decode(crf);
    free(net->emissions);
    free(packed.memory);
    return count;
}

PyDoc_STRVAR(tag_doc, "tag(sizes, gates, places, lengths, weights, best, probable, inside, cooling, spans, shares, starts)"
                      " -> how many spans\n\n"
                      "`emit` and `decode` in one: `places` are those of the words of all sentences, the longest first.\n"
                      "`sizes`: words, directions, units, tags, sentences, tokens of the longest, words of all.");

static PyObject *tag(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *gates, *places, *lengths, *recurrent, *kernel, *bias;
    CrfObjects given;
    Lstm net;
    Crf crf;
    if (!PyArg_ParseTuple(args, "(nnnnnnn)OOO(OOO)(OOO)(OOO)OfOOO", &net.words, &net.directions, &net.units, &net.tags,
                          &crf.sentences, &crf.tokens, &net.rows, &gates, &places, &lengths, &recurrent, &kernel, &bias,
                          &given.transitions, &given.opening, &given.ending, &given.steps, &given.start, &given.end,
                          &given.inside, &crf.cooling, &given.spans, &given.shares, &given.starts))
        return NULL;
    crf.tags = net.tags;
    net.steps = crf.tokens;
    if (!has_sizes(&net))
        return NULL;
    Arrays arrays = {.count = 0};
    ptrdiff_t count = -1;
    const ptrdiff_t *known = NULL;
    if (take_network(&arrays, &net, gates, recurrent, kernel, bias) && take_crf(&arrays, &crf, &given) &&
        (known = take(&arrays, places, "places", 'l', net.rows, 0)) && within(known, net.rows, net.words, "places") &&
        (crf.lengths = take(&arrays, lengths, "lengths", 'i', crf.sentences, 0)) &&
        longest_first(crf.lengths, crf.sentences, crf.tokens, net.rows)) {
        Py_BEGIN_ALLOW_THREADS
        count = run_both(&net, &crf, known);
        Py_END_ALLOW_THREADS
        if (count < 0)
            PyErr_NoMemory();
    }
    release(&arrays);
    return count < 0 ? NULL : PyLong_FromSsize_t(count);
}

static int ids_exist(const Entering *net) {
    const ptrdiff_t columns = 1 + net->pieces + net->letters;
    for (ptrdiff_t place = 0; place < net->count * columns; place++) {
        ptrdiff_t column = place % columns;
        ptrdiff_t end = !column ? net->word_rows : column <= net->pieces ? net->piece_rows : net->letter_rows;
        if (net->rows[place] < 0 || net->rows[place] >= end) {
            PyErr_Format(PyExc_ValueError, "rows: %d is not below %zd", net->rows[place], (Py_ssize_t)end);
            return 0;
        }
    }
    return 1;
}

static int has_entrance(const Entering *net, ptrdiff_t offset) {
    if (net->count >= 1 && net->pieces >= 1 && net->letters >= 1 && net->word_size >= 1 && net->piece_size >= 1 &&
        net->filters >= 1 && net->width >= 1 && net->width % LANES == 0 && offset >= 0 &&
        offset + net->width <= net->stride)
        return 1;
    PyErr_SetString(PyExc_ValueError, "every size must be at least 1, units a multiple of 4, and the gates within theirs");
    return 0;
}

PyDoc_STRVAR(enter_doc, "enter(counts, tables, gates_of, rows, words, pieces, taps, lift, kernel, bias, gates)\n\n"
                        "What words bring to the gates of one network. `counts`: words, pieces, letters of each; `tables`:\n"
                        "rows and sizes of the words', pieces' and letters' tables; `gates_of`: width, stride, offset.");

static PyObject *enter(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *rows, *words, *pieces, *taps, *lift, *kernel, *bias, *gates;
    Entering net;
    ptrdiff_t offset;
    if (!PyArg_ParseTuple(args, "(nnn)(nnnnnn)(nnn)OOOOOOOO", &net.count, &net.pieces, &net.letters, &net.word_rows,
                          &net.word_size, &net.piece_rows, &net.piece_size, &net.letter_rows, &net.filters, &net.width,
                          &net.stride, &offset, &rows, &words, &pieces, &taps, &lift, &kernel, &bias, &gates) ||
        !has_entrance(&net, offset))
        return NULL;
    const ptrdiff_t size = net.word_size + net.pieces * net.piece_size + net.filters;
    Arrays arrays = {.count = 0};
    int done = (net.rows = take(&arrays, rows, "rows", 'i', net.count * (1 + net.pieces + net.letters), 0)) &&
               (net.words = take(&arrays, words, "words", 'f', net.word_rows * net.word_size, 0)) &&
               (net.piece = take(&arrays, pieces, "pieces", 'f', net.piece_rows * net.piece_size, 0)) &&
               (net.taps = take(&arrays, taps, "taps", 'f', net.letter_rows * 3 * net.filters, 0)) &&
               (net.lift = take(&arrays, lift, "lift", 'f', net.filters, 0)) &&
               (net.kernel = take(&arrays, kernel, "kernel", 'f', size * net.width, 0)) &&
               (net.bias = take(&arrays, bias, "bias", 'f', net.width, 0)) &&
               (net.gates = take(&arrays, gates, "gates", 'f', net.count * net.stride, 1)) && ids_exist(&net);
    if (done) {
        net.gates += offset;
        Py_BEGIN_ALLOW_THREADS
        done = !lstm_enter(&net);
        Py_END_ALLOW_THREADS
        if (!done)
            PyErr_NoMemory();
    }
    return finished(&arrays, done);
}

PyDoc_STRVAR(choose_doc, "choose(name=None) -> name\n\n"
                         "Run the LSTM as compiled for this kind of processor (\"x86-64-v4\", \"x86-64-v3\" or \"any\"), or the\n"
                         "best there is. Raises ValueError where this machine cannot.");

static PyObject *choose(PyObject *module, PyObject *args) {
    (void)module;
    const char *name = NULL;
    if (!PyArg_ParseTuple(args, "|z", &name))
        return NULL;
    const char *found = lstm_choose(name);
    return found ? PyUnicode_FromString(found) : PyErr_Format(PyExc_ValueError, "this machine cannot run '%s'", name);
}

static PyMethodDef methods[] = {
    {"emit", emit, METH_VARARGS, emit_doc},
    {"decode", decode, METH_VARARGS, decode_doc},
    {"enter", enter, METH_VARARGS, enter_doc},
    {"tag", tag, METH_VARARGS, tag_doc},
    {"choose", choose, METH_VARARGS, choose_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "registry._kernels", "LSTM and CRF in compiled code, outside the interpreter's lock.", 0, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernels(void) {
    lstm_choose(NULL);
    return PyModuleDef_Init(&definition);
}
