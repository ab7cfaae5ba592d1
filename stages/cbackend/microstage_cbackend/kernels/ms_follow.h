/* A waveform at any rate brought to as many samples a cycle as a network takes, which follow the mains' frequency.
 *
 * Between samples lies a windowed sinc, MS_FOLLOW_UNITS of its zeros on either side, tabled by MS_FOLLOW_FINE to a zero. Its
 * zeros are samples apart, or, where there are more of these than the network takes, 0.8 of the network's.
 *
 * Each cycle's phase against the one before says the frequency, of which the median of the last five is taken: a jump of the
 * phase moves it not at all. What is left of the phase is drawn back slowly. A cycle without a fundamental moves nothing.
 *
 * ms_follower.h, and tables that are written for a number of samples a cycle, are included first.
 */
#ifndef MS_FOLLOW_H
#define MS_FOLLOW_H

#include <stdint.h>
#include <string.h>

static const double ms_turn = 6.283185307179586;

/* The angle of a phasor, to 2^-16. */
static double ms_follow_angle(double real, double imaginary)
{
    const double x = real < 0 ? -real : real, y = imaginary < 0 ? -imaginary : imaginary;
    const double larger = x > y ? x : y, r = larger > 0 ? (x > y ? y : x) / larger : 0, s = r * r;
    double angle = r * (0.9998660 + s * (-0.3302995 + s * (0.1801410 + s * (-0.0851330 + s * 0.0208351))));
    angle = y > x ? ms_turn / 4 - angle : angle;
    angle = real < 0 ? ms_turn / 2 - angle : angle;
    return imaginary < 0 ? -angle : angle;
}

/* Samples from here on at a frequency, which is held within a fourth below the nominal and a third above it. */
static void ms_follow_at(ms_follower *f, double frequency)
{
    const double low = f->nominal * 0.75, high = f->nominal * 4 / 3.0;
    f->frequency = (float)(frequency < low ? low : frequency > high ? high : frequency);
    f->step = f->rate / (MS_FOLLOW_CYCLE * f->frequency);
    f->half = MS_FOLLOW_UNITS * (f->step > 1.25f ? 0.8f * f->step : 1.0f);
}

/* Begins anew; 0 where there are fewer than 32 or more than 600 samples in a cycle, or what is given is no number. */
static int ms_follow_start(ms_follower *f, float rate, float nominal)
{
    memset(f, 0, sizeof *f);
    if (!(nominal >= 1 && nominal <= 1000 && rate >= 32 * nominal && rate <= 600 * nominal)) {
        return 0;
    }
    f->rate = rate;
    f->nominal = nominal;
    ms_follow_at(f, nominal);
    f->place = -f->half;
    return 1;
}

static void ms_follow_put(ms_follower *f, float sample)
{
    f->newest = (f->newest + 1) % MS_FOLLOW_KEPT;
    f->samples[f->newest] = sample;
    f->place += 1;
}

static double ms_follow_median(const float *values, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        int32_t below = 0;
        for (int32_t k = 0; k < count; k++) {
            below += values[k] < values[i] || (values[k] == values[i] && k < i);
        }
        if (below == count / 2) {
            return values[i];
        }
    }
    return values[0];
}

/* The angle from one phasor to another. */
static double ms_follow_between(double real_1, double imaginary_1, double real, double imaginary)
{
    return ms_follow_angle(real * real_1 + imaginary * imaginary_1, imaginary * real_1 - real * imaginary_1);
}

/* The median of the last frequencies, the newest among them by the turn from the cycle before to this one. */
static double ms_follow_measured(ms_follower *f)
{
    const double turned = ms_follow_between(f->real_1, f->imaginary_1, f->real, f->imaginary) / ms_turn;
    const double mean = 2 / (1 / f->frequency_1 + 1 / (double)f->frequency);
    f->found[f->measured % MS_FOLLOW_MEDIAN] = (float)(mean * (1 + turned));
    f->measured = f->measured + 1 < 2 * MS_FOLLOW_MEDIAN ? f->measured + 1 : MS_FOLLOW_MEDIAN;
    return ms_follow_median(f->found, f->measured < MS_FOLLOW_MEDIAN ? f->measured : MS_FOLLOW_MEDIAN);
}

/* By how much faster to sample so that the phase comes back; one that jumped is where it is kept from now on. */
static double ms_follow_drawn(ms_follower *f)
{
    const double away = ms_follow_between(f->real_0, f->imaginary_0, f->real, f->imaginary);
    if (f->measured >= MS_FOLLOW_MEDIAN && away < 0.1 && away > -0.1) {
        return 1 + 0.2 * away / ms_turn;
    }
    f->real_0 = f->real;
    f->imaginary_0 = f->imaginary;
    return 1;
}

/* What a whole cycle of outputs says of the frequency: nothing where the fundamental is less than a tenth of its power. */
static void ms_follow_cycle(ms_follower *f)
{
    const double size = f->real * f->real + f->imaginary * f->imaginary;
    double next = f->frequency;

    if (size > 0.1 * MS_FOLLOW_CYCLE / 2 * f->power) {
        next = f->frequency_1 > 0 ? ms_follow_measured(f) : next;
        next *= ms_follow_drawn(f);
        f->real_1 = f->real;
        f->imaginary_1 = f->imaginary;
        f->frequency_1 = f->frequency;
    } else {
        f->frequency_1 = 0;
    }
    f->real = f->imaginary = f->power = 0;
    f->outputs = 0;
    ms_follow_at(f, next);
}

/* The next output into `sample`; 0 where it takes more input. */
static int ms_follow_next(ms_follower *f, float *sample)
{
    if (f->place < f->half) {
        return 0;
    }
    const float fine = MS_FOLLOW_FINE * MS_FOLLOW_UNITS / f->half;
    const int32_t first = (int32_t)(f->place - f->half) + 1, last = (int32_t)(f->place + f->half);
    float sum = 0;
    for (int32_t back = first; back <= last && back < MS_FOLLOW_KEPT; back++) {
        const float away = (float)back < f->place ? f->place - (float)back : (float)back - f->place, at = away * fine;
        const int32_t entry = (int32_t)at;
        const float low = ms_follow_table[entry], high = ms_follow_table[entry + 1];
        sum += f->samples[(f->newest - back + MS_FOLLOW_KEPT) % MS_FOLLOW_KEPT] * (low + (high - low) * (at - (float)entry));
    }
    *sample = sum * (MS_FOLLOW_UNITS / (f->half * MS_FOLLOW_ONE));
    f->real += *sample * (double)ms_follow_cosine[f->outputs];
    f->imaginary -= *sample * (double)ms_follow_cosine[(f->outputs + 3 * MS_FOLLOW_CYCLE / 4) % MS_FOLLOW_CYCLE];
    f->power += (double)*sample * *sample;
    f->place -= f->step;
    if (++f->outputs == MS_FOLLOW_CYCLE) {
        ms_follow_cycle(f);
    }
    return 1;
}

#endif
