// shrink.mjs - makes a failing case small: tries simpler neighbours, keeps each that still fails.

/** Simpler values of a JSON value, the boldest first. */
function* simplerValue(v) {
  if (typeof v === 'string' && v.length > 1) {
    const characters = [...v];
    if (characters.length > 2) {
      yield characters.slice(0, characters.length >> 1).join('');
      yield characters.slice(characters.length >> 1).join('');
    }
    for (let i = 0; characters.length > 1 && i < Math.min(characters.length, 12); i++) yield characters.filter((_, j) => j !== i).join('');
  } else if (typeof v === 'number' && v > 1) {
    yield 1;
    yield Math.floor(v / 2);
    yield v - 1;
  } else if (Array.isArray(v)) {
    if (v.length > 3) {
      yield v.slice(0, v.length >> 1);
      yield v.slice(v.length >> 1);
    }
    for (let i = 0; i < v.length; i++) yield v.filter((_, j) => j !== i);
    for (let i = 0; i < v.length; i++) for (const x of simplerValue(v[i])) yield v.map((y, j) => (j === i ? x : y));
  } else if (typeof v === 'object' && v !== null) {
    for (const k of Object.keys(v)) {
      const { [k]: value, ...rest } = v;
      if (!['insert', 'retain', 'delete', 'ops'].includes(k)) yield rest;
      if (k === 'insert' && typeof value === 'object') yield { ...v, insert: 'x' };
      for (const x of simplerValue(value)) yield { ...v, [k]: x };
    }
  }
}

function* simplerCase(failing) {
  const inputs = ['doc', 'a', 'b', 'c'].filter((name) => name in failing);
  for (const name of inputs) {
    if (failing[name].ops) yield { ...failing, [name]: failing[name].ops };
    const ops = failing[name];
    if (Array.isArray(ops) ? ops.length > 0 : true) yield { ...failing, [name]: [] };
  }
  for (const name of inputs) for (const simpler of simplerValue(failing[name])) yield { ...failing, [name]: simpler };
  if (failing.index > 0) {
    yield { ...failing, index: 0 };
    yield { ...failing, index: failing.index - 1 };
  }
}

/** `fails(case)` is asynchronous; at most `budget` questions are asked. */
export async function shrink(failing, fails, budget = 5000) {
  let best = failing;
  for (let found = true; found && budget > 0; ) {
    found = false;
    for (const candidate of simplerCase(best)) {
      if (budget-- <= 0) break;
      if (await fails(candidate)) {
        best = candidate;
        found = true;
        break;
      }
    }
  }
  return best;
}
