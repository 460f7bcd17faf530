"""The words of a question that say nothing of what it is about, and those that ask for what no input ever holds."""

from __future__ import annotations

import re

from bridge.report.claims.level_words import PRIOR

#: A question about the course of things: an input is one examination.
COURSE = re.compile(
    PRIOR.pattern + r"|\b(?:chang(?:e|es|ed|ing)|grown|grow(?:s|ing|th)?|progress(?:ed|es|ing|ion|ive)?|worse|worsen(?:ed|s|ing)?|better|"
    r"improv(?:e|es|ed|ing|ement)|"
    r"deteriorat\w*|recover(?:y|ed|s|ing)?|evol(?:ve|ved|ution)|trend|trajectory|prognosis|outcome|future|develop(?:ed|ing)?|follow-?up|relapse\w*|"
    r"previous(?:ly)?|prior|earlier|formerly|before|later|next year|last (?:year|month|week|time|visit|scan)|years? ago|months? ago|over the years|yet|still|"
    r"new since|anymore|any more|by now|so far)\b",
    re.IGNORECASE,
)
#: A question about who the sample is of.
IDENTITY = re.compile(
    r"\b(?:who|whose|whom|names? of the (?:patient|person|subject|donor|participant|doctor|physician|hospital|parents?)|"
    r"(?:patient|person|subject|donor|participant|doctor|physician|surname|mother|father)(?:'s|’s)? names?|what is (?:his|her|their) name|how old|ages?|aged|"
    r"born|birth ?(?:day|date|place)?|date of birth|sex|"
    r"gender|male|female|man|woman|boy|girl|ethnicity|ethnic|ancestry|race|nationality|religion|address|phone|e-?mail|insurance|occupation|job|profession|"
    r"married|hospital|clinic|lives?|country|city|identity|identify the (?:patient|person|donor|subject))\b",
    re.IGNORECASE,
)
_GENERAL = """
    a abnormal about above absent abundant across actually add added additional adjacent affect affected affects after again against agree agreement
    agrees alike all allow allows alone also although always am among amongst amount an and another answer answers anterior any anyone anything
    anywhere apart apparent appear appears applied applies apply approximately are area areas arise arises arrange arranged as aside ask asked asking
    aspect aspects assist assistance associated association associations assume asymmetric asymmetrical asymmetries asymmetry at atlas attention
    attribute attributes average away back basal basic basically be bear bears because been began begin begins behave behaves being believe below
    beside besides best better between beyond big bigger biggest bilateral bit bits blue bodily body border borders both bottom bottoms boundary break
    breakdown brief briefly bright brighter brightest bring brings bullet but by calculate calculated call called came can candidate candidates case
    cases catch catches categories category cent central cerebral certain certainty characterise characterised characteristic characteristics
    characterize characterized chart check chief choose clarify class classes clear clearly climb close closer closest cluster clusters cold colder
    color colors colour coloured colours column columns combine come comes comment compare compared compares comparing comparison complete completely
    complex compute computed concentrate concentrated concern concerned concise conclude conclusion conclusions condition conditions confidence
    confident confirm connected consider consistent contain contains contradict contrast contrasts contribute contributes cooler core cores corner
    correct correspond corresponds cortex cortical could count counted counterpart counterparts counts couple curious current currently dark darker
    darkest data decreased deep deliver delivers depleted describe described describes describing detail details deviant deviate deviates deviating
    deviation deviations did differ difference differences different differently diffuse direction discuss display distance distributed distribution
    divide divided do does doing domain domains dominate dominates done dorsal down dozen draw each edge edges either elaborate elevated else
    elsewhere emerge emerges enable end ends enriched entire entries entry enumerate equal equally especially essence estimate estimated even ever
    every everybody everyone everything everywhere evidence evident exactly example examples exceed exceeds except exceptional exceptionally exclude
    excluded excluding exist existing exists expect expected explain explained expressed expression extent extra extreme extremely extremes
    extremities extremity fact facts faint fall falls false far farthest favor favors favour favours feature featured features few figure figures
    filter filtered find finding findings finds fine first five flat focal focus focused follow follows for forget format found four fraction from
    front full fully further furthest gap general get gist give given gives global go goes good gradient great greater greatest group grouped guess
    gyri had happen happening happens has have having headline headlines hello help helpful helps hemisphere hemispheres hence here herself hi high
    higher highest highlight highlights highly himself hit hits hold holds hope hot hotter how however huge hugely i identical identify if ignore
    important impression impressions in include included includes including incomplete inconsistent increased indicate indicates individual infer
    inferior inferred inform information informative informs inner input inputs inside insight insights instance instances instead intense intensity
    interested interesting interpret interpretation interpreted into involve involved involvement involves involving is isolated it item itemise
    itemize items its itself just keep key kind kindly kinds know knowledge known knows lack lacking lacks large larger largest lateral lateralised
    lateralized lay lead leading learn learned least leave left less let lets letter level levels lie lies light lighter lights like liked likely
    limit limited line lines link linked links list listed lists literally little lobe lobes local locate located location long look looks low lower
    lowest made magnitude main mainly major majority make makes many map mapping maps margin margins marked markedly match matching maximal maximum
    may me mean meaning meanings means measure measured measurement measurements measures medial member members mention mentioning merely message
    middle might mild mildly mind mine minimal minimum minor minority minus mode moderate moderately modes module modules moment more moreover most
    mostly move moves much multiple must my myself name named names near nearest need needed needs neighboring neighbouring neither nervous neural
    never next nice no nobody none nor normal not notable notably note noteworthy nothing now nowhere nuclei nucleus number observe observed obvious
    occur occurring occurs odd of off offer offers often ok okay on once one ones only opposite option options or order ordered ordinary other others
    otherwise our ours out outer outlier outliers outline outlying outside outstanding over overall overview own pair pairwise paragraph parcel
    parcellation parcels part partial particular particularly parts pass passed passes pattern patterns peak peaked peaking peaks per percent
    percentage percentile percentiles perhaps pick picks picture piece pieces pinpoint place places plateau play plays please plus point points poor
    position possible possibly posterior precisely present presented presently presents pretty primary principal probably produce produced produces
    profile prominent pronounced properties property proportion provide provided provides put quality quantify quantity quarter question questions
    quick quite raised range rank ranked ranking ranks rarely rather ratio read reading really recognisable recognizable record recorded reduced
    reference reflect reflects region regional regionally regions regulate regulated relate related relates relating relation relations relationship
    relative relatively relevant reliable reliably remainder remaining remarkable remember repeatedly reply report reported reports require requires
    resemble resembles respect respectively respond response responsible rest result results return returns reveal revealed reveals rich right rise
    rises role roles roughly row rows run runs said same sample say says scatter score scored scores sd second secondary section sections sector see
    seem seems seen segment segments select selected sense sentence sentences separate separately set sets seven several shade shaded shall share
    short should show showing shown shows side sides sign signal signals significant similar simple simply single sit site sites sits six size sketch
    skip slight slightly small smaller smallest so some somebody someone something sometimes somewhat somewhere soon sort sorted spare spared spares
    sparse speak speaks special specially specific specify specimen spell split spoken spot spots spread stand standard stands start starts state
    stated states stay stays steep stick still stood story strange strength strike strikes striking strong stronger strongest strongly structure
    structures stuck style subcortex subcortical subject subjects subset subtle such suggest suggested suggests sulci sum summarise summarised
    summarize summary superficial superior support supported supports suppose sure surprise surprising symmetric symmetrical symmetry table tail tails
    take takeaway talk talks teach technical tell tells ten term terms territories territory than thank thanks that the their theirs them themselves
    then there therefore these they thing things think third this those though three through throughout thus times tiny tip tips tissue tissues to
    today together told too top tops total touch touches toward towards training trait traits transmission transmitted tried trough troughs true truly
    try trying turn turns twice two type types typical typically under understand unexpected uniform unusual unusually up upon upper us use used
    useful using usual usually valley value values variance variation varied varies various vary ventral verify version versus very via view visible
    vs walk walks want wants warm warmer was way ways we weak weaker weakest well were what whatever when where whereas whether which while whole why
    wide widespread will win winner wins wish with within without wonder wondering word words work worst worth would write written wrong yes you your
    yours yourself z zero zone zones
"""
#: Words that leave open what a question is about.
GENERAL = frozenset(_GENERAL.split())
_WHOLE = """
    report overview summary summarise summarize describe everything findings finding inputs input given measured known facts sample results result
    notable unusual remarkable tell show evidence
"""
#: Words of a question about everything that was given.
WHOLE = frozenset(_WHOLE.split())
_PLACES = """
    area areas asymmetric asymmetrical asymmetries asymmetry bright brighter brightest cortex cortical dark darker darkest extreme extremes gyri gyrus
    hemisphere hemispheres highest lateralised lateralized lobe lobes lowest map maps maximal maximum minimal minimum nuclei nucleus outlier outliers
    parcel parcels peak peaks region regional regionally regions signal signals spot spots structure structures subcortex subcortical sulci symmetric
    symmetrical symmetry trough troughs valley where
"""
#: Words that ask for the values of a map, whether it is named or not.
PLACES = frozenset(_PLACES.split())
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
