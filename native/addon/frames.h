/* Owns what other parts of the addon need of sockets for frames: see frames.c. */
#ifndef HEDDLE_FRAMES_H
#define HEDDLE_FRAMES_H

#include "addon.h"

enum { MOST_FRAMES = 256, FRAME_TRUNCATED = -1 };

struct frames;
/* The socket of an object; NULL after a throw. */
struct frames *heddle_frames(napi_env env, napi_value value);
/* -1 once it is closed. */
int heddle_frames_descriptor(const struct frames *frames);
/* Calls the object's `readable`. */
void heddle_frames_wake(struct frames *frames);
/* Whether the loop of events waits for frames, as it does from the beginning. */
void heddle_frames_watch(struct frames *frames, bool watched);
/* Sends all; for a frame that is not sent, its length in `places` becomes -errno. How many were sent. */
int heddle_frames_send(int descriptor, struct mmsghdr *messages, int32_t *places, int count, int wait_ms);

#endif
