/* The steps of an LSTM for one kind of processor. lstm.c includes this once for each, with
 *   VECTOR      how many numbers one of its registers holds (LANES is a multiple of it),
 *   PROCESSOR   the attribute of functions that may use what it can do,
 *   NAMED(name) the name of a function of this kind.
 * Vectors wider than the registers would work too, but compilers keep them in memory: ten times slower. */
typedef float NAMED(Wide) __attribute__((vector_size(4 * VECTOR)));
typedef int NAMED(WideInt) __attribute__((vector_size(4 * VECTOR)));
#define Wide NAMED(Wide)
#define WideInt NAMED(WideInt)
#define PARTS (LANES / VECTOR)

INLINE void NAMED(get)(Wide *into, const float *from) { memcpy(into, from, sizeof *into); }
INLINE void NAMED(put)(float *into, const Wide *from) { memcpy(into, from, sizeof *from); }

INLINE void NAMED(keep_below)(Wide *values, float limit) {
    Wide limits = (Wide){} + limit;
    WideInt above = *values > limits, bits, limit_bits;
    memcpy(&bits, values, sizeof bits);
    memcpy(&limit_bits, &limits, sizeof bits);
    bits = (above & limit_bits) | (~above & bits);
    memcpy(values, &bits, sizeof bits);
}

/* 1 / (1 + exp(-2 x)), which is (1 + tanh(x)) / 2: within 2e-7 of it. exp is a power of two and the series of what is
 * left, which lies within half of ln 2. */
INLINE void NAMED(open_gate)(Wide *value) {
    Wide power = *value * -2.885390082f;
    NAMED(keep_below)(&power, 126.0f);
    power = -power;
    NAMED(keep_below)(&power, 126.0f);
    power = -power;
    /* Adding and taking away 1.5 times 2 to the 23rd rounds to whole numbers. */
    Wide whole = (power + 12582912.0f) - 12582912.0f;
    Wide rest = (power - whole) * 0.693147181f;
    Wide series = 1.0f + rest * (1.0f + rest * (0.5f + rest * (0.166666667f + rest * (0.0416666667f +
                  rest * (0.00833333333f + rest * 0.00138888889f)))));
    WideInt exponent = (__builtin_convertvector(whole, WideInt) + 127) << 23;
    Wide scale;
    memcpy(&scale, &exponent, sizeof scale);
    *value = 1.0f / (1.0f + series * scale);
}

/* `rows` rows by `panels` panels of LANES columns: out = first + left @ right. */
INLINE void NAMED(tile)(const int rows, const int panels, ptrdiff_t depth, const float *const *left, Panels right,
                        const float *const *first, float *const *out) {
    Wide sums[6][4 * PARTS];
#pragma GCC unroll 6
    for (int row = 0; row < rows; row++)
#pragma GCC unroll 16
        for (int part = 0; part < panels * PARTS; part++)
            NAMED(get)(&sums[row][part], first[row] + part * VECTOR);
    for (ptrdiff_t step = 0; step < depth; step++) {
#pragma GCC unroll 16
        for (int part = 0; part < panels * PARTS; part++) {
            Wide column;
            NAMED(get)(&column, right + (part / PARTS * depth + step) * LANES + part % PARTS * VECTOR);
#pragma GCC unroll 6
            for (int row = 0; row < rows; row++)
                sums[row][part] += left[row][step] * column;
        }
    }
#pragma GCC unroll 6
    for (int row = 0; row < rows; row++)
#pragma GCC unroll 16
        for (int part = 0; part < panels * PARTS; part++)
            NAMED(put)(out[row] + part * VECTOR, &sums[row][part]);
}

/* Few rows take several panels at once, so that enough sums are under way to hide how long each takes; never more than
 * six, which are what fits the registers of processors without AVX-512. */
INLINE void NAMED(multiply_panels)(const int rows, const int wide, ptrdiff_t panels, ptrdiff_t depth,
                                   const float *const *left, Panels right, const float *const *first,
                                   float *const *out) {
    const float *from[6];
    float *into[6];
    for (ptrdiff_t panel = 0; panel < panels;) {
        for (int row = 0; row < rows; row++) {
            from[row] = first[row] + panel * LANES;
            into[row] = out[row] + panel * LANES;
        }
        const float *columns = right + panel * depth * LANES;
        if (panels - panel >= wide) {
            NAMED(tile)(rows, wide, depth, left, columns, from, into);
            panel += wide;
        } else {
            NAMED(tile)(rows, 1, depth, left, columns, from, into);
            panel += 1;
        }
    }
}

/* out[row] = first[row] + left[row] @ right for each of `rows` rows of `panels` times LANES columns. */
INLINE void NAMED(multiply)(ptrdiff_t rows, ptrdiff_t panels, ptrdiff_t depth, const float *const *left, Panels right,
                            const float *const *first, float *const *out) {
    for (; rows >= 6; rows -= 6, left += 6, first += 6, out += 6)
        NAMED(multiply_panels)(6, 1, panels, depth, left, right, first, out);
    switch (rows) {
    case 5: NAMED(multiply_panels)(5, 1, panels, depth, left, right, first, out); break;
    case 4: NAMED(multiply_panels)(4, 1, panels, depth, left, right, first, out); break;
    case 3: NAMED(multiply_panels)(3, 2, panels, depth, left, right, first, out); break;
    case 2: NAMED(multiply_panels)(2, 3, panels, depth, left, right, first, out); break;
    case 1: NAMED(multiply_panels)(1, 4, panels, depth, left, right, first, out); break;
    }
}

/* One row of open gates: the cell (units rounded up to LANES) and the hidden state after it. */
INLINE void NAMED(update)(ptrdiff_t units, const float *gates, float *restrict cell, float *restrict bent,
                          float *restrict hidden) {
    const float *input = gates, *forget = gates + units, *output = gates + 2 * units, *candidate = gates + 3 * units;
    for (ptrdiff_t unit = 0; unit < units; unit++)
        cell[unit] = cell[unit] * forget[unit] + input[unit] * (2.0f * candidate[unit] - 1.0f);
    for (ptrdiff_t unit = 0; unit < units; unit += VECTOR) {
        Wide value;
        NAMED(get)(&value, cell + unit);
        NAMED(open_gate)(&value);
        NAMED(put)(bent + unit, &value);
    }
    for (ptrdiff_t unit = 0; unit < units; unit++)
        hidden[unit] = (2.0f * bent[unit] - 1.0f) * output[unit];
}

PROCESSOR
static void NAMED(run_direction)(const Lstm *net, ptrdiff_t direction, const Room *room) {
    const ptrdiff_t units = net->units, width = room->width;
    const float *words = net->gates + direction * width;
    Panels recurrent = net->recurrent + direction * width * units;
    memset(room->cells, 0, sizeof(float) * (size_t)((net->starts[1] - net->starts[0]) * room->padded));
    for (ptrdiff_t step = 0; step < net->steps; step++) {
        const ptrdiff_t begin = net->starts[step], count = net->starts[step + 1] - begin;
        for (ptrdiff_t row = 0; row < count; row++) {
            ptrdiff_t source = direction % 2 ? net->turned[begin + row] : begin + row;
            room->first[row] = words + net->places[source] * net->directions * width;
            room->out[row] = room->gates + row * width;
            if (step)
                room->left[row] = room->hidden + (net->starts[step - 1] + row) * units;
        }
        NAMED(multiply)(count, width / LANES, step ? units : 0, room->left, recurrent, room->first, room->out);
        for (ptrdiff_t place = 0; place < count * width; place += VECTOR) {
            Wide value;
            NAMED(get)(&value, room->gates + place);
            NAMED(open_gate)(&value);
            NAMED(put)(room->gates + place, &value);
        }
        for (ptrdiff_t row = 0; row < count; row++)
            NAMED(update)(units, room->out[row], room->cells + row * room->padded, room->bent,
                          room->hidden + (begin + row) * units);
    }
}

PROCESSOR
static void NAMED(score_direction)(const Lstm *net, ptrdiff_t direction, const Room *room) {
    Panels kernel = net->kernel + direction * room->scored * net->units;
    for (ptrdiff_t row = 0; row < net->rows; row++) {
        ptrdiff_t source = direction % 2 ? net->turned[row] : row;
        room->left[row] = room->hidden + source * net->units;
        room->first[row] = room->out[row] = room->scores + row * room->scored;
    }
    NAMED(multiply)(net->rows, room->scored / LANES, net->units, room->left, kernel, room->first, room->out);
}

PROCESSOR
static void NAMED(emit)(const Lstm *net, const Room *room) {
    for (ptrdiff_t direction = 0; direction < net->directions; direction++) {
        NAMED(run_direction)(net, direction, room);
        NAMED(score_direction)(net, direction, room);
    }
}

/* Of one word what the LSTM reads, word_size + pieces * piece_size + filters numbers. `nothing` is (filters) zeros. */
INLINE void NAMED(describe)(const Entering *net, const int *row, const float *nothing, float *restrict inputs) {
    const ptrdiff_t filters = net->filters;
    memcpy(inputs, net->words + row[0] * net->word_size, sizeof(float) * (size_t)net->word_size);
    inputs += net->word_size, row++;
    for (ptrdiff_t piece = 0; piece < net->pieces; piece++, row++, inputs += net->piece_size)
        memcpy(inputs, net->piece + *row * net->piece_size, sizeof(float) * (size_t)net->piece_size);
    /* Nothing is below zero: what a rectifier makes of the largest is the largest that it makes. */
    memcpy(inputs, nothing, sizeof(float) * (size_t)filters);
    for (ptrdiff_t place = 0; place < net->letters; place++) {
        const float *before = place ? net->taps + row[place - 1] * 3 * filters : nothing;
        const float *here = net->taps + (row[place] * 3 + 1) * filters;
        const float *after = place + 1 < net->letters ? net->taps + (row[place + 1] * 3 + 2) * filters : nothing;
        for (ptrdiff_t filter = 0; filter < filters; filter++) {
            float value = net->lift[filter] + before[filter] + here[filter] + after[filter];
            inputs[filter] = value > inputs[filter] ? value : inputs[filter];
        }
    }
}

PROCESSOR
static void NAMED(enter)(const Entering *net, ptrdiff_t size, const Entrance *room) {
    for (ptrdiff_t word = 0; word < net->count; word++) {
        float *inputs = room->inputs + word * size;
        NAMED(describe)(net, net->rows + word * (1 + net->pieces + net->letters), room->nothing, inputs);
        room->left[word] = inputs;
        room->first[word] = net->bias;
        room->out[word] = net->gates + word * net->stride;
    }
    NAMED(multiply)(net->count, net->width / LANES, size, room->left, net->kernel, room->first, room->out);
}

#undef Wide
#undef WideInt
#undef PARTS
