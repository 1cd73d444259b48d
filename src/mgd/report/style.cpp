#include "mgd/report/sections.h"

namespace mgd {
namespace {

// Colours: every pair of text and ground has a contrast of at least 4.5 : 1 (WCAG AA) in both modes.
constexpr std::string_view kColours = R"css(
:root{--ground:#f5f6f8;--card:#fff;--ink:#1b2430;--soft:#566173;--line:#dde2e9;--accent:#17698a;--accent-soft:#b9d7e2;
--warm:#b4481a;--good:#2b7a4b;--hit:96 172 200;--miss:232 132 84;--shadow:0 1px 2px rgb(20 30 50/.06),0 4px 14px rgb(20 30 50/.05)}
@media (prefers-color-scheme:dark){:root{--ground:#11151a;--card:#1a2028;--ink:#e5eaf1;--soft:#9ca8b8;--line:#2d3641;
--accent:#6ec3de;--accent-soft:#28495a;--warm:#f0935e;--good:#6fc795;--hit:28 110 142;--miss:176 74 28;--shadow:none}}
)css";

constexpr std::string_view kPage = R"css(
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;overflow-wrap:anywhere}
header,main,footer{max-width:1120px;margin:0 auto;padding:0 24px}
header{padding-top:40px}
h1{font-size:clamp(1.55rem,1.1rem + 2vw,2.3rem);line-height:1.2;margin:0;letter-spacing:-.015em}
h2{font-size:1.25rem;margin:44px 0 14px;letter-spacing:-.01em}
h3{font:600 .95rem/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;margin:0 0 4px}
.subtitle{color:var(--soft);margin:8px 0 0;font-size:1.06rem;max-width:75ch}
nav{display:flex;flex-wrap:wrap;gap:6px 20px;margin-top:26px;padding-bottom:12px;border-bottom:1px solid var(--line);font-size:.92rem}
a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:4px}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:18px 20px;margin:0 0 16px;box-shadow:var(--shadow)}
.note{color:var(--soft);font-size:.88rem;margin:8px 0}
.warn{color:var(--warm);font-size:.82rem;margin:2px 0 0}
footer{color:var(--soft);font-size:.82rem;padding-top:36px;padding-bottom:36px}
figure{margin:0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px;margin:26px 0 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px 16px;box-shadow:var(--shadow)}
.tile dt{color:var(--soft);font-size:.82rem}
.tile dd{margin:2px 0 0;font-size:1.42rem;font-weight:650;letter-spacing:-.01em;font-variant-numeric:tabular-nums;line-height:1.25}
.tile dd.note{font-size:.8rem;font-weight:400;letter-spacing:0}
.findings{padding-left:40px;font-size:1.02rem}.findings li{margin:5px 0;max-width:80ch}.findings li::marker{color:var(--accent)}
)css";

constexpr std::string_view kTables = R"css(
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:8px 14px 8px 0;vertical-align:top;overflow-wrap:normal}
thead th{color:var(--soft);font-size:.8rem;font-weight:500;border-bottom:1px solid var(--line);white-space:nowrap}
tbody tr+tr>*{border-top:1px solid var(--line)}
caption{text-align:left;font-weight:600;padding:0 0 8px}
.num{text-align:right;white-space:nowrap}
.scroll{overflow-x:auto}
.plain{font-size:.93rem}.plain th[scope=row]{font-weight:500}.plain td,.plain th{max-width:44ch;overflow-wrap:break-word}.plain th[scope=row]{min-width:9ch}
.keys th{color:var(--soft);width:30%;font-weight:400!important}
.models th[scope=row]{font-weight:400;min-width:130px}.models td .bar{margin:4px 0 3px}
.models span{display:block}
.role{font-weight:600}.architecture{color:var(--soft);font-size:.85rem}
.subject .role{color:var(--accent)}
.value{white-space:nowrap}.ratio{color:var(--soft);font-size:.8rem;white-space:nowrap}.none{color:var(--soft)}
.bar{display:block;height:5px;border-radius:3px;background:var(--line);margin-top:6px;max-width:130px;overflow:hidden}
.bar span{display:block;height:100%;background:var(--soft);border-radius:3px}
.subject .bar span{background:var(--accent)}
.heat{width:auto;font-size:.8rem;border-spacing:2px;border-collapse:separate;line-height:1.2}
.heat caption{font-weight:400;color:var(--soft);font-size:.85rem}
.heat th,.heat td{padding:6px 5px;border:0!important}
.heat td{text-align:center;min-width:38px;border-radius:4px}
.heat th[scope=row]{text-align:right;font-weight:400;max-width:17ch;padding-right:8px;white-space:nowrap;overflow:hidden;text-overflow:ellipsis;position:sticky;left:0;background:var(--card)}
.heat thead th{vertical-align:bottom;text-align:left;color:var(--ink);font-weight:400}
.heat thead span{writing-mode:vertical-rl;transform:rotate(180deg);max-height:150px;overflow:hidden;white-space:nowrap}
.hit{background:rgb(var(--hit)/var(--v))}.miss{background:rgb(var(--miss)/var(--v))}
.zero{color:var(--soft);opacity:.55}.heat .sum{color:var(--soft)}
)css";

constexpr std::string_view kPictures = R"css(
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(290px,1fr));gap:14px}
.chart{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:12px 14px 8px;box-shadow:var(--shadow)}
.chart figcaption{display:flex;justify-content:space-between;gap:12px;font-size:.9rem;margin-bottom:2px}
.name{font-weight:600}.last{font-variant-numeric:tabular-nums;color:var(--accent);font-weight:600;white-space:nowrap}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font-size:11px;fill:var(--soft);font-variant-numeric:tabular-nums}
.end{text-anchor:end}.mid{text-anchor:middle}
.grid{stroke:var(--line);fill:none}.axis{stroke:var(--soft);fill:none;stroke-opacity:.6}
.raw{stroke:var(--accent);stroke-opacity:.28;fill:none}
.curve{stroke:var(--accent);stroke-width:1.8;fill:none;stroke-linejoin:round}
.dot{fill:var(--accent)}
.confusion{display:flex;flex-wrap:wrap;gap:12px 48px}.confusion>*{min-width:0}.confusion .pairs{flex:1 1 300px}
.dots{max-width:620px;margin-top:22px}.dots figcaption{font-weight:600;margin-bottom:6px;font-size:.9rem}
.dots svg .label{font-size:12px;fill:var(--ink)}.dots svg .label.strong{font-weight:650;fill:var(--accent)}
.whisker{stroke-width:2;fill:none;stroke:var(--soft)}.mark{fill:var(--soft)}
.whisker.strong{stroke:var(--accent)}.mark.strong{fill:var(--accent)}
.picture{display:block;width:100%;height:auto;border-radius:6px;background:var(--line)}
.pixels{image-rendering:pixelated}
.missing{aspect-ratio:1;color:var(--soft);font-size:.8rem;display:grid;place-items:center}
.mistakes{display:grid;grid-template-columns:repeat(auto-fill,minmax(158px,1fr));gap:14px}
.mistakes .card{padding:10px;margin:0}
.mistakes .picture{aspect-ratio:1;object-fit:contain}
.mistakes span{display:block}
.truth{font-weight:600;margin-top:8px;line-height:1.3}
.file{color:var(--soft);font-size:.75rem;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.answer{display:grid;grid-template-columns:1fr auto;font-size:.85rem;line-height:1.3;margin-top:8px;column-gap:8px}
.who{grid-column:1/-1;color:var(--soft);font-size:.72rem}
.what{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}.score{font-variant-numeric:tabular-nums}
.answer .bar{grid-column:1/-1;max-width:none;margin-top:3px}
.wrong .what,.wrong .score{color:var(--warm)}.right .what,.right .score{color:var(--good)}
.wrong .bar span{background:var(--warm)}.right .bar span{background:var(--good)}
.maps{display:flex;gap:14px;overflow-x:auto;padding-top:8px}
.maps figure{flex:1 0 132px;max-width:196px}
.maps .picture{aspect-ratio:1}
.maps figcaption{font-size:.85rem;margin-top:6px}
.range{display:flex;align-items:center;gap:6px;color:var(--soft);font-size:.75rem;font-variant-numeric:tabular-nums}
.ramp{flex:1;height:5px;border-radius:3px;background:linear-gradient(90deg,#440154,#3e4989,#26828e,#35b779,#b5de2b,#fde725)}
.heads{display:grid;grid-template-columns:repeat(auto-fill,minmax(236px,1fr));gap:16px 14px;padding-top:8px}
.masks{display:grid;grid-template-columns:repeat(auto-fill,minmax(250px,1fr));gap:14px}.masks .card{margin:0}.masks .heads{display:block}.masks svg{max-width:260px;margin:0 auto}
.heads figcaption{font-size:.85rem;margin-bottom:4px}
.heads svg text{font-size:9.5px;fill:var(--ink)}
.seen{fill:var(--accent)}.hidden{fill:var(--line)}.blank{fill:none;stroke:var(--line);stroke-width:.5}
.legend{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin:0 .4em 0 1.2em;vertical-align:-.05em}.legend:first-child{margin-left:0}
.legend.seen{background:var(--accent)}.legend.hidden{background:var(--line)}
.gaps{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:14px}
.gaps .card{margin:0;display:flex;flex-direction:column;justify-content:space-between;gap:12px}
.sentence{font-family:Georgia,"Times New Roman",serif;font-size:1.06rem;line-height:1.5;margin:0}
.gap{color:var(--accent);border-bottom:2px solid var(--accent);padding:0 1.4em;font-weight:600}
.guess{display:grid;grid-template-columns:minmax(9ch,auto) 1fr 5ch;gap:0 10px;align-items:center;font-size:.9rem;padding:2px 0}
.guess .bar{margin:0;max-width:none}.guess .score{text-align:right;color:var(--soft);font-variant-numeric:tabular-nums}
.guess.right .what{color:var(--good);font-weight:600}.guess.right .bar span{background:var(--good)}
.truth-line{color:var(--soft);font-size:.85rem;margin:4px 0 0}.truth-line b{color:var(--good)}
.verses{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:14px}.verses .card{margin:0}
.verse{font-family:Georgia,"Times New Roman",serif;font-size:1.02rem;line-height:1.5;margin:0;white-space:pre-wrap}
.verse b{color:var(--accent)}
.verses figcaption{color:var(--soft);font-size:.85rem;margin-top:12px;padding-top:10px;border-top:1px solid var(--line);white-space:pre-wrap}
summary{cursor:pointer;font-weight:600}
details[open] summary{margin-bottom:12px}
pre{margin:0;overflow-x:auto;font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:normal}
)css";

constexpr std::string_view kNarrowAndPaper = R"css(
@media (max-width:700px){
header,main,footer{padding-left:14px;padding-right:14px}
header{padding-top:24px}
.card{padding:14px}.findings{padding-left:32px}
.tiles{grid-template-columns:1fr 1fr;gap:10px}.tile{padding:10px 12px}.tile dd{font-size:1.15rem}.tile dd.note{font-size:.78rem}
.models,.models tbody,.models tr,.models th,.models td{display:block}
.models thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.models tr+tr{border-top:1px solid var(--line);margin-top:12px;padding-top:12px}
.models tr>*{border:0!important;padding:0}
.models td{display:grid;grid-template-columns:8.2em 1fr auto;gap:0 10px;padding:3px 0;font-size:.92rem;align-items:baseline}
.models td::before{content:attr(data-label);color:var(--soft)}
.models td .ratio{grid-row:1;grid-column:3}
.models td .bar{grid-row:2;grid-column:2/-1;max-width:none;margin:2px 0 0}
.mistakes{grid-template-columns:repeat(auto-fill,minmax(140px,1fr))}
.dots svg text,.dots svg .label{font-size:15px}
.heads{grid-template-columns:repeat(auto-fill,minmax(150px,1fr))}
}
@media print{
:root{--ground:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#ccc;--accent:#17698a;--warm:#b4481a;--good:#2b7a4b;--hit:96 172 200;--miss:232 132 84;--shadow:none}
body{font-size:11pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}
nav{display:none}
header,main,footer{max-width:none;padding:0}
.card,.chart,.tile,figure,tr{break-inside:avoid}h2,h3{break-after:avoid}
.scroll,.maps,pre{overflow:visible}pre{white-space:pre-wrap}
details::details-content{content-visibility:visible;block-size:auto}
}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
)css";

}  // namespace

std::string report_style() {
  std::string style;
  for (std::string_view part : {kColours, kPage, kTables, kPictures, kNarrowAndPaper}) style += part;
  return style;
}

}  // namespace mgd
