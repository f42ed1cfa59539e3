// Owns what whoever names a model of an InfiniBand fabric has to know of it.

/** Where its sockets are: a folder, or "@" and a name of the network namespace. A socket's address has 108 bytes (unix(7)). */
export const FABRIC_NAME = /^[/@][^\0]{0,70}$/;

/** ibsim's own UDP port; the next ten are its clients'. */
export const IBSIM_PORT = 7070;

/** ibsim serves ten clients: the hosts, of which one is the manager's, that manager itself, and the switch. */
export const MOST_HOSTS = 8;
