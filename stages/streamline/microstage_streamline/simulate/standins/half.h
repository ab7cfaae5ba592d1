// Stands in for Vitis HLS's half: its headers name the type, and integer layers never use it.
#ifndef HALF_H
#define HALF_H
struct half {
    float value;
    half(float of = 0) : value(of) {}
    operator float() const { return value; }
};
#endif
