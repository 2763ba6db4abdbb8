/* Who edits on this page: two names and colours, other ones in every window. */

const NAMES = ['Ada', 'Grace', 'Edsger', 'Barbara', 'Donald', 'Margaret', 'Tony', 'Frances', 'Alan', 'Radia', 'Dennis', 'Adele'];
const COLORS = ['#c2410c', '#0f766e', '#6d28d9', '#be185d', '#1d4ed8', '#4d7c0f', '#a16207', '#0e7490'];

function shuffled(list) {
  const rest = [...list];
  return list.map(() => rest.splice(Math.floor(Math.random() * rest.length), 1)[0]);
}

/* ?names=Ada,Grace chooses them. */
export function drawPeople(parameters) {
  const chosen = parameters.get('names')?.split(',').map((name) => name.trim()).filter(Boolean) ?? [];
  const names = [...chosen, ...shuffled(NAMES)].slice(0, 2);
  const colors = chosen.length >= 2 ? COLORS : shuffled(COLORS);
  return names.map((name, i) => ({ user: name.toLowerCase(), name, color: colors[i] }));
}
