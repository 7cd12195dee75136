/* What lets one C source serve vectors of every width.
 *
 * CLONES f(...) lets the compiler pick the vectors of f at run time, of up to 256 bits. ROW_KERNEL does the same for an
 * inlined body by hand, and takes vectors of 512 bits. Both only where every copy gives the same bits.
 */
#ifndef MARROWSIM_VECTORS_H
#define MARROWSIM_VECTORS_H

#include <stdlib.h> /* defines __GLIBC__ where it applies */

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12 && defined(__x86_64__) && defined(__GLIBC__)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), unused)) static void
#else
#define CLONES static inline void
#endif

#if defined(_MSC_VER)
#define INLINED static __forceinline
#elif defined(__GNUC__)
#define INLINED static inline __attribute__((always_inline))
#else
#define INLINED static inline
#endif
#if defined(__GNUC__) && !defined(__clang__)
#define NO_OVERLAP _Pragma("GCC ivdep")
#else
#define NO_OVERLAP
#endif

/* ROW_KERNEL(name, (parameters), (arguments)) makes `name` of the inlined `name_body`, compiled for
 * wider vectors too where the compiler can choose between them at run time. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12 && defined(__x86_64__)
#define FOR_512 __attribute__((target("arch=x86-64-v4,prefer-vector-width=512"), unused)) static void
#define FOR_256 __attribute__((target("arch=x86-64-v3"), unused)) static void
static int vector_level(void)
{
    static int level = -1;
    if (level < 0)
        level = __builtin_cpu_supports("x86-64-v4") ? 2 : __builtin_cpu_supports("x86-64-v3") ? 1 : 0;
    return level;
}
#define ROW_KERNEL(name, parameters, arguments) \
    FOR_512 name##_512 parameters { name##_body arguments; } \
    FOR_256 name##_256 parameters { name##_body arguments; } \
    __attribute__((unused)) static void name parameters \
    { \
        if (vector_level() == 2) \
            name##_512 arguments; \
        else if (vector_level() == 1) \
            name##_256 arguments; \
        else \
            name##_body arguments; \
    }
#else
#define ROW_KERNEL(name, parameters, arguments) \
    static inline void name parameters { name##_body arguments; }
#endif

#endif
