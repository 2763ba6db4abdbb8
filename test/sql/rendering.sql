-- Documents as HTML and Markdown. The renderings are read back with npm's parsers elsewhere; here: that each function is wired to the right
-- one, versions, refusals, bounds.

SET search_path = public, collab;
\pset format unaligned

SELECT collab.to_html('[{"insert":"Title"},{"insert":"\n","attributes":{"header":1}},{"insert":"Bold","attributes":{"bold":true}},{"insert":" & <plain>\n"}]');
SELECT collab.to_markdown('[{"insert":"Title"},{"insert":"\n","attributes":{"header":1}},{"insert":"Bold","attributes":{"bold":true}},{"insert":" & <plain>\n"}]');
SELECT collab.to_html('[]') = '' AS html, collab.to_markdown('[]') = '' AS markdown, collab.to_html(NULL) IS NULL AS "null";

-- every format once
\set formats '[{"insert":"a","attributes":{"bold":true,"italic":true,"underline":true,"strike":true,"code":true,"script":"sub","link":"https://example.com/?a=1&b=2","color":"red","background":"#ff0","font":"serif","size":"large"}},{"insert":"\\n","attributes":{"align":"center","indent":2,"direction":"rtl"}},{"insert":"b"},{"insert":"\\n","attributes":{"list":"ordered"}},{"insert":"c"},{"insert":"\\n","attributes":{"list":"checked","indent":1}},{"insert":"d"},{"insert":"\\n","attributes":{"list":"bullet"}},{"insert":"e"},{"insert":"\\n","attributes":{"blockquote":true}},{"insert":"f  g"},{"insert":"\\n","attributes":{"code-block":"c++"}},{"insert":{"image":"https://example.com/i.png"},"attributes":{"alt":"\\"i\\"","width":"10"}},{"insert":{"video":"https://example.com/v"}},{"insert":{"formula":"e=mc^2"}},{"insert":{"mention":{"id":1}}}]'
SELECT collab.to_html(:'formats');
SELECT collab.to_markdown(:'formats');

-- what is wrong or hostile is left out
SELECT collab.to_html('[{"insert":"x","attributes":{"link":"java\tscript:alert(1)","color":"red;background:url(x)","size":"1px\"onclick=\"x","font":"x;y"}},{"insert":{"image":"data:image/svg+xml;base64,PHN2Zz4="}},{"insert":"\n","attributes":{"header":7,"list":"x","align":"center\"","indent":-1}}]');
SELECT collab.to_markdown('[{"insert":"[x](javascript:alert(1)) <script>","attributes":{"link":"JAVASCRIPT:alert(1)"}},{"insert":"\n# no title\n"}]');

-- of a document, at any version
SELECT collab.create_document('rendering', '[{"insert":"one\n"}]'::collab.delta);
SELECT collab.submit('rendering', '[{"retain":3,"attributes":{"italic":true}}]');
SELECT v, collab.html('rendering', v), collab.markdown('rendering', v) FROM unnest(ARRAY[0, 1, 2, NULL]::bigint[]) v;
SELECT collab.html('rendering'), collab.markdown('rendering');
SELECT collab.html(NULL) IS NULL AS html, collab.markdown(NULL, 1) IS NULL AS markdown;

-- refused
SELECT collab.to_html('[{"retain":1,"attributes":{"bold":true}}]');
SELECT collab.to_markdown('[{"delete":1}]');
SELECT collab.html('rendering', 3);
SELECT collab.markdown('rendering', -1);
SELECT collab.html('no-such-document');
SELECT collab.markdown('not a document id');
\set VERBOSITY sqlstate
SELECT collab.to_html('[{"delete":1}]');
SELECT collab.html('rendering', 3);
SELECT collab.html('no-such-document');
\set VERBOSITY default

-- a line of two bytes with a link of two kilobytes: what comes out is bounded, whatever goes in
SELECT collab.to_html(jsonb_build_array(jsonb_build_object('insert', repeat(E'a\n', 200000), 'attributes', jsonb_build_object('link', 'https://example.com/' || repeat('x', 2000))))::collab.delta);
SELECT collab.to_markdown(jsonb_build_array(jsonb_build_object('insert', repeat(E'a\n', 200000), 'attributes', jsonb_build_object('link', 'https://example.com/' || repeat('x', 2000))))::collab.delta);

-- and who asked for it can take it back before that is known
SET statement_timeout = '20ms';
SELECT length(collab.to_html(jsonb_build_array(jsonb_build_object('insert', repeat(E'a\n', 200000), 'attributes', jsonb_build_object('link', 'https://example.com/' || repeat('x', 2000))))::collab.delta));
RESET statement_timeout;

SELECT collab.drop_document('rendering');
