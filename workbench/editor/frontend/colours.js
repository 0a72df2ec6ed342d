// The colour of a label, the same that every other page gives it (workbench/look.py).

/** `palette`: {known: {label: colour}, alike: {label: known label}, spare: [colour]}. */
export function labelColour(label, palette) {
  const name = label.toLowerCase();
  const known = palette.known[palette.alike[name] ?? name];
  return known ?? palette.spare[crc32(new TextEncoder().encode(name)) % palette.spare.length];
}

function crc32(bytes) {
  let remainder = 0xffffffff;
  for (const byte of bytes) {
    remainder ^= byte;
    for (let bit = 0; bit < 8; bit += 1) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0xedb88320 : 0);
  }
  return (remainder ^ 0xffffffff) >>> 0;
}
