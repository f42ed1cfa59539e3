/*
 * Owns types in all the shapes that a kernel's have, with the offsets that the compiler gives their members: an oracle
 * for who reads the description of types (BTF) that the compiler writes.
 */
#define OFFSET(type, member) __builtin_offsetof(type, member)

struct inner {
  char letter;
  long number;
};

typedef const struct inner inner_alias;

enum colour { RED = 3, GREEN = -7, BLUE = 70000 };

struct outer {
  char first;
  struct inner plain;
  inner_alias aliased;
  union {
    int choice;
    struct {
      short deep;
      struct inner deeper;
    };
  };
  volatile inner_alias *pointer;
  struct inner several[3];
  unsigned flag : 3;
  unsigned other : 5;
  enum colour colour;
  float real;
  int (*function)(struct inner *, int);
  long last;
};

union either {
  struct outer outer;
  long number;
};

const unsigned long offsets[] __attribute__((section("expected"), used)) = {
    OFFSET(struct outer, first),
    OFFSET(struct outer, plain),
    OFFSET(struct outer, plain.number),
    OFFSET(struct outer, aliased.number),
    OFFSET(struct outer, choice),
    OFFSET(struct outer, deep),
    OFFSET(struct outer, deeper.number),
    OFFSET(struct outer, pointer),
    OFFSET(struct outer, several),
    OFFSET(struct outer, colour),
    OFFSET(struct outer, real),
    OFFSET(struct outer, function),
    OFFSET(struct outer, last),
    OFFSET(union either, outer.last),
};

union either sample;
