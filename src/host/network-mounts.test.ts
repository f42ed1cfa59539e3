// Owns the proof that servers are found in what the kernel says of mounts.
import { expect, test } from "vitest";
import { serversIn } from "./network-mounts.ts";

test("NFS by its option, Lustre and Ceph by their source, blanks in places; nothing local", () => {
  const text = [
    "22 28 0:20 / /proc rw,nosuid shared:5 - proc proc rw",
    "28 1 0:25 / / rw shared:1 - nfs4 10.20.0.1:/roots/node7 rw,vers=4.2,proto=rdma,clientaddr=10.20.0.7,addr=10.20.0.1",
    "40 28 0:41 / /scratch rw - lustre 10.20.0.5@o2ib,10.21.0.5@tcp:10.20.0.6@o2ib:/scratch rw,flock",
    "41 28 0:42 / /my\\040home rw shared:9 - nfs fd00::2:/home rw,mountaddr=fd00::3,addr=fd00::2",
    "42 28 0:43 / /ceph rw - ceph 10.0.0.1:6789,10.0.0.2:6789:/ rw,name=admin",
    "43 28 8:1 / /boot rw - ext4 /dev/sda1 rw",
    "44 28 0:44 / /odd rw - nfs server:/x rw,addr=nonsense",
    "",
    "a line that is none",
  ].join("\n");
  expect(serversIn(text).map(({ point, type, server }) => `${point} ${type} ${server}`)).toEqual([
    "/ nfs4 10.20.0.1",
    "/scratch lustre 10.20.0.5",
    "/scratch lustre 10.21.0.5",
    "/scratch lustre 10.20.0.6",
    "/my home nfs fd00::2",
    "/ceph ceph 10.0.0.1",
    "/ceph ceph 10.0.0.2",
  ]);
});
