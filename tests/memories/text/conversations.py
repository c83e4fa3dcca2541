# ruff: noqa: RUF001 (texts in many scripts)
"""Days of made-up households, as `speaker: text` lines, and what a summary of each must hold."""

from memories.text.turns import Turn

ENGLISH = """Anna: Good morning!
Assistant: Good morning, Anna! How can I help you today?
Anna: What's the weather like?
Assistant: It is 12 degrees and cloudy, with rain expected after 3 p.m.
Anna: OK thanks. Remind me to take the car to the garage on Thursday, the brakes are squeaking.
Assistant: Sure, I'll remind you on Thursday morning to take the car to the garage.
Anna: Grandma is coming on Saturday and she's allergic to nuts, so no nuts in the cake please.
Assistant: Noted. I'll remember that grandma is allergic to nuts.
Tom: Hey, turn on the lights in the kitchen.
Assistant: Okay.
Tom: Play some jazz.
Assistant: Playing jazz in the kitchen.
Tom: When is my dentist appointment?
Assistant: Tuesday the 14th at half past nine.
Tom: Hmm, that doesn't work, I'm in Berlin all week. Move it to the 21st please.
Assistant: Done. Your dentist appointment is now on Tuesday the 21st at 9:30.
Tom: Great, thanks!
Anna: What should we cook tonight?
Assistant: How about lasagna? You have minced beef and tomatoes.
Anna: Nah, Mia became a vegetarian last month. Let's do the lentil curry.
Tom: What time is it?
Assistant: It's 18:45.
Tom: We decided to book the cottage in Denmark for the last two weeks of July, by the way.
Assistant: Got it.
Anna: Good night!
Assistant: Good night, sleep well!"""

GERMAN = """Lena: Guten Morgen!
Assistent: Guten Morgen, Lena! Wie kann ich dir helfen?
Lena: Super. Am Donnerstag kommt um 8 Uhr der Heizungsmonteur, da muss jemand zu Hause sein.
Jonas: Ich kann am Donnerstag nicht, ich habe eine Prüfung in Statistik.
Lena: Okay, dann arbeite ich am Donnerstag von zu Hause.
Assistent: Alles klar. Soll ich dich um 7:30 Uhr daran erinnern?
Lena: Ja, bitte.
Jonas: Spiel bitte Radio.
Assistent: Okay.
Jonas: Oma verträgt übrigens keine Laktose, also kauf bitte laktosefreie Sahne für Sonntag.
Assistent: Ich habe laktosefreie Sahne auf die Einkaufsliste gesetzt.
Lena: Wir haben uns entschieden, den Urlaub in den Dolomiten zu machen, vom 3. bis 17. August.
Jonas: Echt? Cool!
Lena: Ja. Die Anzahlung von 350 Euro muss bis zum 15. Mai überwiesen werden.
Jonas: Mach das Licht aus.
Assistent: Okay.
Jonas: Wie spät ist es?
Assistent: Es ist 21:10 Uhr.
Lena: Gute Nacht!"""

FRENCH = """Claire: Bonjour !
Assistant: Bonjour Claire, comment puis-je vous aider ?
Claire: D'accord. Rappelle-moi d'appeler l'école lundi, parce que Hugo a changé de cantine.
Assistant: Je vous rappellerai lundi d'appeler l'école.
Hugo: Mets de la musique.
Assistant: Voilà.
Claire: Mme Perrin passera vendredi à 17 h. Elle est allergique aux chats.
Assistant: C'est noté.
Claire: Nous avons décidé d'acheter la voiture électrique, la livraison est prévue le 12 juin.
Assistant: Félicitations !
Hugo: Merci ! Bonne nuit.
Assistant: Bonne nuit !"""

JAPANESE = """母: おはよう。
アシスタント: おはようございます。今日はどうしますか？
母: おばあちゃんは卵アレルギーだから、土曜日のケーキは卵なしで作ってね。
アシスタント: わかりました。
父: 来月の十日から沖縄に家族旅行に行くことに決めたよ。
アシスタント: いいですね！"""

# A meeting without speakers, whose decision repeats words that were all said before.
MEETING = """The heat pump from Nordtherm costs 18,400 euros and would take two days to install.
The gas boiler is cheaper, at 9,200 euros, but there is no subsidy for it.
I think the neighbours have a heat pump too.
They said it is quiet.
The subsidy office pays 35 percent for heat pumps if we apply before the end of March.
OK, decided: we take the heat pump from Nordtherm and apply for the subsidy this week.
Who writes the application?
I do.
What a day.
Do we have any biscuits left?"""

# name -> (lines, how many sentences, what the summary must hold, what it must leave out)
EXPECTATIONS = {
    "english": (ENGLISH, 6, ["garage", "allergic", "21st", "Denmark"], ["Good", "jazz", "14th"]),
    "german": (GERMAN, 5, ["Heizungsmonteur", "Oma", "Dolomiten", "350"], ["Guten", "Radio"]),
    "french": (FRENCH, 4, ["école", "Perrin", "allergique", "12 juin"], ["Bonjour", "Merci"]),
    "japanese": (JAPANESE, 2, ["卵アレルギー", "沖縄"], ["おはよう"]),
    "meeting": (MEETING, 4, ["18,400", "35 percent", "decided"], ["biscuits", "What a day"]),
}


def read_turns(lines: str) -> list[Turn]:
    """`speaker: text` a line; a line without a speaker's single word is text alone."""
    parts = [line.partition(": ") for line in lines.splitlines()]
    return [
        Turn(text, speaker) if text and " " not in speaker else Turn(speaker + mark + text)
        for speaker, mark, text in parts
    ]
