// Loads every package named on the command line in both ways, and prints one line of JSON about each.
async function load(specifier) {
  const required = require(specifier)
  const imported = await import(specifier)
  const names = Object.keys(imported)
  const different = names.filter((name) => imported[name] !== required[name])
  console.log(JSON.stringify({ specifier, file: require.resolve(specifier), names, different }))
}

for (const specifier of process.argv.slice(2)) void load(specifier)
