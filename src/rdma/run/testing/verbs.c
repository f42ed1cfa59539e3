/*
 * Owns an adapter of the model for programs of libibverbs, in tests: one port whose management goes to ibsim (libumad2sim),
 * and whose queue pairs take everything and give nothing. Loaded before libibverbs; HEDDLE_PORT has the port's GUID (hex),
 * its LID and the subnet manager's.
 */
#include <endian.h>
#include <infiniband/verbs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
/* Macros of the header's that would lead elsewhere than to the library's symbols. */
#undef ibv_query_port
#undef ibv_reg_mr
#define UNUSED __attribute__((unused))

enum { SUBNET_TIMEOUT = 18, WIDTH_4X = 2, SPEED_QDR = 4 };

static int poll_cq(struct ibv_cq *cq UNUSED, int most UNUSED, struct ibv_wc *wc UNUSED) { return 0; }
static int req_notify_cq(struct ibv_cq *cq UNUSED, int solicited UNUSED) { return 0; }
static int post_send(struct ibv_qp *qp UNUSED, struct ibv_send_wr *wr UNUSED, struct ibv_send_wr **bad UNUSED) { return 0; }
static int post_recv(struct ibv_qp *qp UNUSED, struct ibv_recv_wr *wr UNUSED, struct ibv_recv_wr **bad UNUSED) { return 0; }

/* libumad2sim's name for the node's adapter. */
static struct ibv_device device = {.node_type = IBV_NODE_CA, .transport_type = IBV_TRANSPORT_IB, .name = "ibsim0"};
static struct ibv_context context = {
    .device = &device,
    .ops = {.poll_cq = poll_cq, .req_notify_cq = req_notify_cq, .post_send = post_send, .post_recv = post_recv}};

static void read_port(unsigned long long *guid, unsigned *lid, unsigned *sm_lid) {
  const char *text = getenv("HEDDLE_PORT");
  if (text == NULL || sscanf(text, "%llx %u %u", guid, lid, sm_lid) != 3) abort();
}

static uint64_t port_guid(void) {
  unsigned long long guid;
  unsigned lid, sm_lid;
  read_port(&guid, &lid, &sm_lid);
  return htobe64(guid);
}

static void *made(size_t size) {
  void *memory = calloc(1, size);
  if (memory == NULL) abort();
  return memory;
}

struct ibv_device **ibv_get_device_list(int *count) {
  struct ibv_device **list = made(2 * sizeof *list);
  list[0] = &device;
  if (count != NULL) *count = 1;
  return list;
}
void ibv_free_device_list(struct ibv_device **list) { free(list); }
__be64 ibv_get_device_guid(struct ibv_device *of UNUSED) { return port_guid(); }

struct ibv_context *ibv_open_device(struct ibv_device *of UNUSED) {
  /* Never readable: nothing happens to the adapter. */
  context.async_fd = eventfd(0, EFD_CLOEXEC);
  return &context;
}
int ibv_close_device(struct ibv_context *of) { return close(of->async_fd); }

int ibv_query_device(struct ibv_context *of UNUSED, struct ibv_device_attr *attributes) {
  memset(attributes, 0, sizeof *attributes);
  attributes->phys_port_cnt = 1;
  attributes->node_guid = port_guid();
  return 0;
}

int ibv_query_port(struct ibv_context *of UNUSED, uint8_t port UNUSED, struct _compat_ibv_port_attr *compatible) {
  struct ibv_port_attr *attributes = (struct ibv_port_attr *)compatible;
  unsigned long long guid;
  unsigned lid, sm_lid;
  read_port(&guid, &lid, &sm_lid);
  attributes->state = IBV_PORT_ACTIVE;
  attributes->max_mtu = attributes->active_mtu = IBV_MTU_2048;
  attributes->gid_tbl_len = attributes->pkey_tbl_len = 1;
  attributes->lid = lid;
  attributes->sm_lid = sm_lid;
  attributes->active_width = WIDTH_4X;
  attributes->active_speed = SPEED_QDR;
  attributes->subnet_timeout = SUBNET_TIMEOUT;
  attributes->link_layer = IBV_LINK_LAYER_INFINIBAND;
  return 0;
}

int ibv_query_gid(struct ibv_context *of UNUSED, uint8_t port UNUSED, int index, union ibv_gid *gid) {
  if (index != 0) return -1;
  gid->global.subnet_prefix = htobe64(0xfe80000000000000ULL);
  gid->global.interface_id = port_guid();
  return 0;
}

int ibv_query_pkey(struct ibv_context *of UNUSED, uint8_t port UNUSED, int index, __be16 *pkey) {
  if (index != 0) return -1;
  *pkey = htobe16(0xffff);
  return 0;
}
int ibv_get_pkey_index(struct ibv_context *of UNUSED, uint8_t port UNUSED, __be16 pkey UNUSED) { return 0; }

struct ibv_pd *ibv_alloc_pd(struct ibv_context *of) {
  struct ibv_pd *domain = made(sizeof *domain);
  domain->context = of;
  return domain;
}

struct ibv_comp_channel *ibv_create_comp_channel(struct ibv_context *of) {
  struct ibv_comp_channel *channel = made(sizeof *channel);
  channel->context = of;
  return channel;
}

struct ibv_cq *ibv_create_cq(struct ibv_context *of, int entries UNUSED, void *own, struct ibv_comp_channel *channel,
                             int vector UNUSED) {
  struct ibv_cq *queue = made(sizeof *queue);
  queue->context = of;
  queue->channel = channel;
  queue->cq_context = own;
  return queue;
}

struct ibv_qp *ibv_create_qp(struct ibv_pd *domain, struct ibv_qp_init_attr *attributes) {
  struct ibv_qp *pair = made(sizeof *pair);
  pair->context = domain->context;
  pair->qp_context = attributes->qp_context;
  pair->send_cq = attributes->send_cq;
  pair->recv_cq = attributes->recv_cq;
  pair->qp_num = 0x77;
  return pair;
}
int ibv_modify_qp(struct ibv_qp *pair UNUSED, struct ibv_qp_attr *to UNUSED, int mask UNUSED) { return 0; }
int ibv_attach_mcast(struct ibv_qp *pair UNUSED, const union ibv_gid *group UNUSED, uint16_t lid UNUSED) { return 0; }
int ibv_detach_mcast(struct ibv_qp *pair UNUSED, const union ibv_gid *group UNUSED, uint16_t lid UNUSED) { return 0; }

struct ibv_mr *ibv_reg_mr(struct ibv_pd *domain, void *address, size_t length, int access UNUSED) {
  struct ibv_mr *region = made(sizeof *region);
  region->pd = domain;
  region->addr = address;
  region->length = length;
  return region;
}

struct ibv_ah *ibv_create_ah(struct ibv_pd *domain, struct ibv_ah_attr *to UNUSED) {
  struct ibv_ah *handle = made(sizeof *handle);
  handle->context = domain->context;
  return handle;
}

/* Nothing ever completes, and nothing happens: whoever waits for that waits. */
int ibv_get_cq_event(struct ibv_comp_channel *channel UNUSED, struct ibv_cq **queue UNUSED, void **own UNUSED) {
  for (;;) pause();
}
int ibv_get_async_event(struct ibv_context *of UNUSED, struct ibv_async_event *event UNUSED) {
  for (;;) pause();
}
