// Owns the proof that the real kernel, through our drivers, keeps the contract of a host.
import { testHostContract } from "../../test/host-contract.ts";
import { TestNamespace } from "../../test/namespace.ts";
import { openHost } from "./kernel.ts";

testHostContract(async () => {
  const namespace = new TestNamespace();
  const host = openHost(namespace.fd);
  return {
    host,
    addLink: (name, addresses) => namespace.addLink(name, addresses),
    setUp: (name, up) => void namespace.ip(`link set ${name} ${up ? "up" : "down"}`),
    setCarrier: (name, carrier) => namespace.setCarrier(name, carrier),
    addAddress: (link, address) => namespace.addAddress(link, address),
    learn: (link, address) => namespace.learn(link, address),
    async [Symbol.asyncDispose]() {
      host.close();
      namespace[Symbol.dispose]();
    },
  };
});
