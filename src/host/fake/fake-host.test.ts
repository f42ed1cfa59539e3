// Owns the proof that the model keeps the contract of a host.
import { testHostContract } from "../../../test/host-contract.ts";
import { FakeHost } from "./fake-host.ts";

testHostContract(async () => {
  const host = new FakeHost();
  return {
    host,
    addLink: (name, addresses) => host.addLink(name, addresses),
    setUp: (name, up) => host.setUp(name, up),
    setCarrier: (name, carrier) => host.setCarrier(name, carrier),
    addAddress: (link, address) => host.addAddress(link, address),
    // A model of stated entries has no place for what is learned.
    learn: () => {},
    [Symbol.asyncDispose]: async () => host.close(),
  };
});
