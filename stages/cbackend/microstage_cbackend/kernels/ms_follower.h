/* What ms_follow.h keeps of a waveform. */
#ifndef MS_FOLLOWER_H
#define MS_FOLLOWER_H

#include <stdint.h>

enum { MS_FOLLOW_KEPT = 128, MS_FOLLOW_MEDIAN = 5 };

typedef struct {
    float samples[MS_FOLLOW_KEPT]; /* the last ones, in a ring */
    float rate, nominal;           /* Hz; of the mains */
    float frequency;               /* of the mains, Hz, as it is followed */
    float step, half, place;       /* in samples: from output to output, of the sinc, from the newest sample back to the next output */
    float found[MS_FOLLOW_MEDIAN]; /* the last measured frequencies */
    double real, imaginary, power; /* of this cycle's outputs: the fundamental, and all */
    double real_1, imaginary_1, frequency_1, real_0, imaginary_0; /* of the cycle before, and where the phase is drawn to */
    int32_t newest, outputs, measured;
} ms_follower;

#endif
