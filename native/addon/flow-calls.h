/* Owns what the relay needs of tables of flows as JavaScript has them. */
#ifndef HEDDLE_FLOW_CALLS_H
#define HEDDLE_FLOW_CALLS_H

#include "addon.h"
#include "flow.h"

struct flows {
  struct flow_table table;
  napi_ref sequence; /* the array that the table counts in */
};

/* The table of an object; NULL after a throw. */
struct flows *heddle_flows(napi_env env, napi_value value);

#endif
