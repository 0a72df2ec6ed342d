/* registry._kernels: arrays in and out by the buffer protocol, so that building it needs no more than Python's own
 * headers. Every array is checked before the interpreter is let go. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "kernels.h"

#include <string.h>

#define MOST_ARRAYS 16

typedef struct {
    Py_buffer views[MOST_ARRAYS];
    int count;
} Arrays;

static void release(Arrays *arrays) {
    while (arrays->count)
        PyBuffer_Release(&arrays->views[--arrays->count]);
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

PyDoc_STRVAR(emit_doc, "emit(sizes, gates, places, turned, starts, recurrent, kernel, bias, emissions)\n\n"
                       "Scores of tags into `emissions`. `sizes`: directions, words, rows, steps, units, tags.");

static PyObject *emit(PyObject *module, PyObject *args) {
    (void)module;
    Py_ssize_t directions, words, rows, steps, units, tags;
    PyObject *gates, *places, *turned, *starts, *recurrent, *kernel, *bias, *emissions;
    if (!PyArg_ParseTuple(args, "(nnnnnn)OOOOOOOO", &directions, &words, &rows, &steps, &units, &tags, &gates, &places,
                          &turned, &starts, &recurrent, &kernel, &bias, &emissions))
        return NULL;
    if (directions < 1 || rows < 1 || steps < 1 || units < 1 || tags < 1 || 4 * units % LANES) {
        PyErr_SetString(PyExc_ValueError, "every size must be at least 1, and units a multiple of 4");
        return NULL;
    }
    Arrays arrays = {.count = 0};
    Lstm net = {.directions = directions, .words = words, .rows = rows, .steps = steps, .units = units, .tags = tags};
    int failed =
        !(net.gates = take(&arrays, gates, "gates", 'f', directions * words * 4 * units, 0)) ||
        !(net.places = take(&arrays, places, "places", 'l', rows, 0)) ||
        !(net.turned = take(&arrays, turned, "turned", 'l', rows, 0)) ||
        !(net.starts = take(&arrays, starts, "starts", 'l', steps + 1, 0)) ||
        !(net.recurrent = take(&arrays, recurrent, "recurrent", 'f', directions * units * 4 * units, 0)) ||
        !(net.kernel = take(&arrays, kernel, "kernel", 'f', directions * units * panelled(tags), 0)) ||
        !(net.bias = take(&arrays, bias, "bias", 'f', tags, 0)) ||
        !(net.emissions = take(&arrays, emissions, "emissions", 'f', rows * tags, 1)) ||
        !within(net.places, rows, words, "places") || !within(net.turned, rows, rows, "turned") ||
        !falling(net.starts, steps, rows);
    if (!failed) {
        Py_BEGIN_ALLOW_THREADS
        failed = lstm_emit(&net);
        Py_END_ALLOW_THREADS
        if (failed)
            PyErr_NoMemory();
    }
    release(&arrays);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
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

PyDoc_STRVAR(decode_doc,
             "decode(sizes, emissions, lengths, best, probable, inside, cooling, spans, shares, starts) -> how many spans\n\n"
             "The spans of the best tags into `spans`, their probabilities into `shares`, and that of any start of an\n"
             "entity at each token into `starts`. `sizes`: sentences, tokens, tags; `best` and `probable`: scores of\n"
             "steps, of starts and of ends, as logarithms and not.");

static PyObject *decode(PyObject *module, PyObject *args) {
    (void)module;
    Py_ssize_t sentences, tokens, tags;
    PyObject *emissions, *lengths, *transitions, *opening, *ending, *steps, *start, *end, *inside, *spans, *shares, *starts;
    float cooling;
    if (!PyArg_ParseTuple(args, "(nnn)OO(OOO)(OOO)OfOOO", &sentences, &tokens, &tags, &emissions, &lengths, &transitions,
                          &opening, &ending, &steps, &start, &end, &inside, &cooling, &spans, &shares, &starts))
        return NULL;
    Arrays arrays = {.count = 0};
    Crf crf = {.sentences = sentences, .tokens = tokens, .tags = tags, .cooling = cooling};
    ptrdiff_t count = 0;
    int failed = !(crf.emissions = take(&arrays, emissions, "emissions", 'f', sentences * tokens * tags, 0)) ||
                 !(crf.lengths = take(&arrays, lengths, "lengths", 'i', sentences, 0)) ||
                 !(crf.transitions = take(&arrays, transitions, "transitions", 'd', tags * tags, 0)) ||
                 !(crf.opening = take(&arrays, opening, "opening", 'd', tags, 0)) ||
                 !(crf.ending = take(&arrays, ending, "ending", 'd', tags, 0)) ||
                 !(crf.steps = take(&arrays, steps, "steps", 'd', tags * tags, 0)) ||
                 !(crf.start = take(&arrays, start, "start", 'd', tags, 0)) ||
                 !(crf.end = take(&arrays, end, "end", 'd', tags, 0)) ||
                 !(crf.inside = take(&arrays, inside, "inside", 'i', tags, 0)) ||
                 !(crf.spans = take(&arrays, spans, "spans", 'i', 4 * sentences * tokens, 1)) ||
                 !(crf.shares = take(&arrays, shares, "shares", 'd', sentences * tokens, 1)) ||
                 !(crf.starts = take(&arrays, starts, "starts", 'd', sentences * tokens, 1)) ||
                 !long_enough(crf.lengths, sentences, tokens) || !tags_exist(crf.inside, tags);
    if (!failed) {
        Py_BEGIN_ALLOW_THREADS
        count = crf_decode(&crf);
        Py_END_ALLOW_THREADS
        if ((failed = count < 0))
            PyErr_NoMemory();
    }
    release(&arrays);
    return failed ? NULL : PyLong_FromSsize_t(count);
}

static PyMethodDef methods[] = {
    {"emit", emit, METH_VARARGS, emit_doc},
    {"decode", decode, METH_VARARGS, decode_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "registry._kernels", "LSTM and CRF in compiled code, outside the interpreter's lock.", 0, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernels(void) { return PyModuleDef_Init(&definition); }
