#!/usr/bin/env python3
"""Writes the stories that the model in models/ learns from, and the small task that it is fine-tuned on.

    tools/make_text.py --out models/walsh-tiny/data

writes text/{train,valid,test}.txt (documents separated by a line <|endoftext|>) and task/{train,valid,test}.jsonl (rows
{"prompt","completion"}: a story and a question about it, the answer). Standard library only; the same seed gives the
same bytes.

A story is a plot filled with characters, a place and a thing of story_world.py. Its key (plot, characters, thing,
place) is hashed into one of 100 buckets and every split owns some of the buckets, so no two splits share a key, whatever
their seeds; and each split draws from its own seed.
"""
import argparse
import json
import pathlib
import random
import zlib

from story_world import (CHARACTERS, COLOURS, DISHES, ELDERS, FEARS, FOODS, MOODS, NUMBERS, PLACES, PLANTS, PLURAL, SIZES,
                         THINGS, TOYS, TROUBLES, WEATHER)

END = "<|endoftext|>"
BUCKETS = {"text-train": range(30, 100), "text-valid": range(0, 5), "text-test": range(5, 10),
           "task-train": range(10, 20), "task-valid": range(20, 25), "task-test": range(25, 30)}
PRONOUNS = {"he": ("he", "him", "his"), "she": ("she", "her", "her")}


def an(phrase):
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def plural(noun):
    return PLURAL.get(noun, noun + "es" if noun.endswith("ch") else noun + "s")


def capital(text):
    return text[0].upper() + text[1:]


class Story:
    """The text so far, the words its templates may use ({h} hero, {f} friend, ...), and questions with their answers."""

    def __init__(self, rng):
        self.rng = rng
        self.paragraphs = [[]]
        self.questions = []
        hero, friend = rng.sample(sorted(CHARACTERS), 2)
        place = rng.choice(sorted(PLACES))
        elder = rng.choice(sorted(ELDERS))
        self.words = {"place": place, "at": PLACES[place][0], "mood": rng.choice(MOODS), "colour": rng.choice(COLOURS),
                      "size": rng.choice(SIZES), "e": elder, "E": capital(elder)}
        for letter, name in (("h", hero), ("f", friend)):
            pronoun, kind = CHARACTERS[name]
            named = name if kind in ("boy", "girl") else f"{name} the {kind}"
            self.words |= {letter: name, letter + "k": kind, letter + letter: named, letter + "a": an(kind)}
            self.pronouns(letter, pronoun)
        self.words["ac"] = an(self.words["colour"])
        self.pronouns("e", ELDERS[elder])

    def pronouns(self, letter, pronoun):
        subject, obj, possessive = PRONOUNS[pronoun]
        self.words |= {letter + "p": subject, letter + "P": capital(subject), letter + "o": obj, letter + "s": possessive,
                       letter + "S": capital(possessive)}

    def fill(self, template):
        return capital(template.format(**self.words).format(**self.words))

    def say(self, *choices):
        self.paragraphs[-1].append(self.fill(self.rng.choice(choices)))

    def maybe(self, *choices, chance=0.5):
        if self.rng.random() < chance:
            self.say(*choices)

    def paragraph(self):
        if self.paragraphs[-1]:
            self.paragraphs.append([])

    def ask(self, question, answer):
        self.questions.append((self.fill(question), self.fill(answer)))

    def set(self, **words):
        self.words |= words

    def text(self):
        return "\n\n".join(" ".join(p) for p in self.paragraphs if p)

    def meet(self):
        """The opening: who the hero is, and where."""
        self.say("Once upon a time there was a {mood} {hk} named {h}.", "{h} was a {mood} {hk}.",
                 "There was once {ha} called {h}, who was very {mood}.",
                 "One day, {hh} was {at}.", "In a small house lived {ha} named {h}. {hP} was {mood}.",
                 "Long ago, a {mood} {hk} named {h} lived near the {place}.")

    def friend(self):
        self.maybe("{hS} best friend was {ff}.", "{h} had a friend, {fa} named {f}.",
                   "{h} and {ff} were friends.", chance=0.6)

    def close(self, *morals):
        """The ending: a feeling and perhaps what was learned."""
        self.maybe("{h} was very happy.", "They laughed all the way home.", "It was a good day.", "{h} smiled.",
                   "That night {h} slept well.", "From that day on, {h} and {f} were the best of friends.", chance=0.7)
        if morals:
            self.maybe(*("{h} had learned that " + moral + "." for moral in morals), chance=0.4)


def choose_thing(story):
    noun = story.rng.choice(sorted(TOYS) + THINGS)
    adjective = story.rng.choice([story.words["colour"], story.words["size"]])
    story.set(o=noun, ao=adjective + " " + noun, an_ao=an(adjective + " " + noun), adj=adjective)
    return noun


def lost(s):
    choose_thing(s)
    spots = s.rng.sample(PLACES[s.words["place"]][1], 2)
    s.set(spot=spots[0], wrong=spots[1])
    s.meet()
    s.friend()
    s.say("{hP} had {an_ao} that {hp} loved.", "{hP} always carried {an_ao}.", "{e} had given {ho} {an_ao}.")
    s.say("One morning the {o} was gone.", "But one day {hp} could not find the {o}.", "Then {hp} lost the {o} {at}.")
    s.maybe("{h} was so sad that {hp} began to cry.", "{h} felt very sad.", "\"Oh no!\" cried {h}.")
    s.paragraph()
    s.say("\"Have you seen my {o}?\" {hp} asked {f}.", "\"Where is my {ao}?\" {h} asked {f}.",
          "\"I have lost my {o},\" {hp} told {f}.")
    s.say("\"No, but I will help you look,\" said {f}.", "\"Let us look for it together,\" {f} said.",
          "\"Do not worry,\" said {f}. \"We will find it.\"")
    s.say("First they looked {wrong}, but the {o} was not there.", "{h} looked {wrong}. There was no {o}.",
          "They searched {wrong} and found nothing.")
    s.say("Then {f} looked {spot}, and there was the {ao}!", "Then {f} found the {o} {spot}.",
          "At last {f} saw something {spot}. It was the {ao}!")
    s.say("\"Thank you, {f}!\" said {h}, and {hp} hugged {fo}.", "{h} took the {o} and thanked {f}.",
          "\"Here is your {o},\" said {f}. {h} jumped for joy.")
    s.close("a good friend helps you look", "it is best to keep your things safe")
    s.ask("Who lost the {o}?", "{h} lost the {o}.")
    s.ask("Who found the {o}?", "{f} found the {o}.")
    s.ask("Where was the {o}?", "The {o} was {spot}.")
    s.ask("What did {h} lose?", "{h} lost the {ao}.")
    return ("o",)


def swap(s):
    first, second = s.rng.sample(sorted(TOYS), 2)
    colours = s.rng.sample(COLOURS, 2)
    s.set(o=first, t=second, ao=f"{colours[0]} {first}", at2=f"{colours[1]} {second}", an_ao=an(f"{colours[0]} {first}"),
          an_t=an(f"{colours[1]} {second}"), play=TOYS[first][0], play2=TOYS[second][0])
    s.meet()
    s.say("{h} had {an_ao}, and {ff} had {an_t}.", "{hP} had {an_ao}. {hS} friend {f} had {an_t}.")
    s.say("They met {at}.", "One day they were playing {at}.", "{h} saw {f} {at}.")
    s.maybe("The {o} {play}.", "{h} showed {f} how the {o} {play}.")
    s.maybe("The {t} {play2}.", "{f} showed {h} how the {t} {play2}.")
    s.paragraph()
    s.say("\"I like your {t},\" said {h}.", "\"May I play with your {t}?\" asked {h}.", "\"Your {t} is so nice,\" {h} said.")
    s.say("\"And I like your {o},\" said {f}. \"Let us trade.\"", "\"Yes, if I may have your {o},\" said {f}.",
          "\"You can have it for your {o},\" {f} answered.")
    s.say("So {h} gave the {o} to {f}, and {f} gave the {t} to {h}.", "{h} gave {f} the {ao} and got the {at2}.",
          "They traded. Now {f} had the {o} and {h} had the {t}.")
    s.maybe("The {t} {play2}, and {h} laughed.", "The {o} {play}, and {f} clapped {fs} hands.")
    s.close("sharing is fun", "two can be happy with a fair trade")
    s.ask("Who has the {o} now?", "{f} has the {o} now.")
    s.ask("Who has the {t} now?", "{h} has the {t} now.")
    s.ask("What did {h} give to {f}?", "{h} gave {f} the {o}.")
    s.ask("Where did they trade?", "They traded {at}.")
    return ("o", "t")


def mend(s):
    noun = s.rng.choice(sorted(TOYS))
    play, broken, cure = TOYS[noun]
    s.set(o=noun, play=play, broken=broken, cure=cure, ao=s.words["colour"] + " " + noun,
          an_ao=an(s.words["colour"] + " " + noun))
    s.meet()
    s.say("{hP} loved to play with {hs} {ao} {at}.", "{hP} had {an_ao} and took it everywhere.",
          "{hP} was playing with {an_ao} {at}.")
    s.maybe("The {o} {play}.")
    s.say("But one day the {o} {broken}.", "Then something went wrong. The {o} {broken}.", "Suddenly it stopped. The {o} {broken}.")
    s.say("{h} took the {o} to {e}.", "{h} ran to {e} with the {o}.", "So {h} went to see {e}.")
    s.paragraph()
    s.say("\"Can you fix my {o}?\" {hp} asked.", "\"Please help me,\" said {h}. \"My {o} is broken.\"")
    s.say("\"We need {cure},\" said {e}.", "\"I think {cure} will do,\" {e} said.", "{E} looked at it. \"It needs {cure},\" {ep} said.")
    s.say("{h} went to find {cure}.", "{ff} came and brought {cure}.", "{e} had {cure} in a drawer.")
    s.say("Soon the {o} was as good as new.", "They worked until the {o} was fixed.", "{E} fixed the {o} in no time.")
    s.maybe("Once more the {o} {play}.", "{h} tried it, and the {o} {play} again.", chance=0.7)
    s.close("broken things can be fixed", "it is good to ask for help")
    s.ask("What was broken?", "The {o} was broken.")
    s.ask("Who fixed the {o}?", "{e} fixed the {o}.")
    s.ask("What did they need?", "They needed {cure}.")
    s.ask("Whose {o} was it?", "It was the {o} of {h}.")
    return ("o", "e")


def share(s):
    food = s.rng.choice(FOODS)
    count = s.rng.randint(3, 10)
    given = s.rng.randint(1, count - 2)
    left = count - given
    name = lambda n: f"{NUMBERS[n]} {food if n == 1 else plural(food)}"
    s.set(o=food, foods=plural(food), many=name(count), given=name(given), left=name(left), ng=NUMBERS[given],
          nl=NUMBERS[left], they="it" if given == 1 else "them")
    s.meet()
    s.say("{hP} had {many} in a basket.", "{e} gave {ho} {many}.", "{hP} picked {many} and put them in a bag.")
    s.say("{at} {hp} met {ff}.", "{ff} was sitting {at}.", "On the way {hp} saw {f} {at}.")
    s.say("{f} was hungry.", "\"I am so hungry,\" said {f}.", "{f} had nothing to eat and looked sad.")
    s.paragraph()
    s.maybe("\"Would you like some of my {foods}?\" asked {h}.", "\"You can have some of mine,\" said {h}.", chance=0.7)
    s.say("{h} gave {given} to {f}.", "So {h} gave {f} {given}.", "{hP} shared, and {f} got {given}.")
    s.say("Now {h} had {left} left.", "Then {h} still had {left}.", "That left {left} for {h}.")
    s.say("{f} ate {they} and felt much better.", "\"Thank you,\" said {f}. \"You are kind.\"", "{f} was not hungry any more.")
    s.close("sharing makes food taste better", "it is good to give")
    s.ask("How many {foods} did {h} have at first?", "{h} had {many} at first.")
    s.ask("How many {foods} did {h} have in the end?", "{h} had {left} in the end.")
    s.ask("Who was hungry?", "{f} was hungry.")
    s.ask("Where did they meet?", "They met {at}.")
    return ("o", "many", "given")


def rescue(s):
    animal = s.rng.choice(sorted(TROUBLES))
    trouble, aid, after = TROUBLES[animal]
    s.set(o=animal, trouble=trouble, aid=aid, after=after)
    s.meet()
    s.friend()
    s.say("{at} {hp} heard a small cry.", "One day {hp} was walking {at}.", "{hP} went for a walk {at}.")
    s.say("There {hp} saw {ac} {o}. It {trouble}.", "{hP} found {ac} {o} that {trouble}.",
          "A {colour} {o} {trouble}.")
    s.paragraph()
    s.say("\"Poor {o}!\" said {h}. \"I will help you.\"", "\"Do not be afraid,\" {h} said softly.", "\"Who will help me?\" cried the {o}.")
    s.maybe("But {hp} could not do it alone, so {hp} called {f}.", "{h} asked {f} to come and help.")
    s.say("{h} {aid}.", "Then {hp} {aid}.", "Slowly and with care, {h} {aid}.")
    s.say("The {o} was free and {after}.", "The {o} {after}.", "At once the {o} {after}.")
    s.maybe("The {o} came back the next day to play.", "\"Thank you,\" said the {o}.", "Everyone was proud of {h}.")
    s.close("even small ones can be a big help", "kindness comes back to you")
    s.ask("Who helped the {o}?", "{h} helped the {o}.")
    s.ask("What colour was the {o}?", "The {o} was {colour}.")
    s.ask("Where was the {o}?", "The {o} was {at}.")
    s.ask("What did {h} do?", "{h} {aid}.")
    return ("o", "colour")


def bake(s):
    dish = s.rng.choice(sorted(DISHES))
    missing, other = s.rng.sample(DISHES[dish], 2)
    s.set(o=dish, missing=missing, other=other)
    s.meet()
    s.say("{hP} wanted to make {o} for {e}.", "It was a special day, and {hp} wanted to make {o} for {e}.",
          "\"I will make {o} for {e},\" said {h}.")
    s.say("{hP} had {other}, but {hp} had no {missing}.", "There was plenty of {other}, but the {missing} was gone.",
          "{hP} looked for {missing}, but there was only {other}.")
    s.say("So {hp} went to see {ff} {at}.", "{h} found {f} {at}.", "{ff} was {at}, so {h} went there.")
    s.paragraph()
    s.say("\"Do you have some {missing}?\" asked {h}.", "\"May I borrow some {missing}?\" {hp} asked.", "\"I need {missing},\" said {h}.")
    s.say("\"Yes, here you are,\" said {f}.", "\"Of course,\" said {f}, and {fp} gave {ho} the {missing}.",
          "{f} gave {ho} a jar of {missing}.")
    s.say("{h} mixed the {missing} with the {other}.", "{h} ran home and stirred everything in a big bowl.")
    s.say("The {o} smelled wonderful.", "Soon the {o} was ready.", "It took a long time, but the {o} was very good.")
    s.say("{E} ate two plates of it.", "\"This is the best {o} of all,\" said {e}.", "{h} gave some to {e} and some to {f}.")
    s.close("friends make hard work easy")
    s.ask("What did {h} make?", "{h} made {o}.")
    s.ask("What was missing?", "The {missing} was missing.")
    s.ask("Who gave {h} the {missing}?", "{f} gave {h} the {missing}.")
    s.ask("Who was the {o} for?", "The {o} was for {e}.")
    return ("o", "missing", "e")


def seek(s):
    spots = s.rng.sample(PLACES[s.words["place"]][1], 3)
    s.set(spot=spots[0], wrong=spots[1], wrong2=spots[2], o="game")
    s.meet()
    s.say("{h} and {ff} played hide and seek {at}.", "\"Let us play hide and seek,\" said {ff}. They were {at}.")
    s.say("{h} closed {hs} eyes and counted to ten.", "{h} had to count, and {f} ran to hide.")
    s.say("{f} hid {spot}.", "{f} found a good place {spot}.", "Quickly {f} hid {spot}.")
    s.paragraph()
    s.say("\"Here I come!\" called {h}.", "\"Ready or not!\" shouted {h}.", "\"Where are you?\" called {h}.")
    s.say("{hP} looked {wrong}. Nobody was there.", "First {hp} looked {wrong}, but {f} was not there.")
    s.maybe("Then {hp} looked {wrong2}. Nobody was there.", "{hP} looked {wrong2}, but saw only {ac} butterfly.")
    s.say("Then {hp} heard a laugh.", "Then {hp} saw a foot.", "Then {f} had to sneeze.")
    s.say("\"I found you!\" said {h}, for {f} was {spot}.", "{h} looked {spot}, and there was {f}!")
    s.maybe("\"Now it is my turn,\" said {f}.", "They played until the sun went down.")
    s.close("waiting quietly is hard")
    s.ask("Who hid?", "{f} hid.")
    s.ask("Who counted?", "{h} counted.")
    s.ask("Where did {f} hide?", "{f} hid {spot}.")
    s.ask("Where did they play?", "They played {at}.")
    return ("spot",)


def fear(s):
    name = s.rng.choice(sorted(FEARS))
    when, truth = FEARS[name]
    s.set(o=name, when=when, truth=truth)
    s.meet()
    s.say("{h} was afraid of {o}.", "There was one thing {hp} did not like. {hP} was afraid of {o}.",
          "{hP} was not afraid of anything but {o}.")
    s.say("{when}, {hp} hid under {ac} blanket.", "{when}, {hp} ran to {e}.", "{when}, {hp} began to shake.")
    s.paragraph()
    s.say("\"What is wrong?\" asked {e}.", "{E} sat down next to {ho}.", "{E} took {hs} hand.")
    s.say("\"I am afraid of {o},\" said {h}.", "\"It is {o},\" {h} whispered.")
    s.say("\"Let us look at it together,\" said {e}.", "\"I was once afraid of it too,\" {e} said.", "\"Come with me,\" said {e}. \"I will show you.\"")
    s.say("{h} was brave and looked. It was {truth}.", "So {hp} took a deep breath and opened {hs} eyes. It was {truth}.")
    s.say("After that, {h} was not afraid any more.", "{h} laughed. \"I am not afraid now,\" {hp} said.")
    s.maybe("The next day {hp} told {ff} all about it.", "\"You are very brave,\" said {ff}.")
    s.close("most fears are small when you look at them")
    s.ask("What was {h} afraid of?", "{h} was afraid of {o}.")
    s.ask("Who helped {h}?", "{e} helped {h}.")
    s.ask("What was it?", "It was {truth}.")
    s.ask("Who was afraid?", "{h} was afraid.")
    return ("o", "e", "mood")


def weather(s):
    kind = s.rng.choice(sorted(WEATHER))
    said, effect, cure = WEATHER[kind]
    ready = s.rng.random() < 0.5
    s.set(said=said, effect=effect, fx=effect.replace("{hs}", "{fs}"), o=cure, a_cure=an(cure))
    s.meet()
    s.friend()
    s.say("{said} {h} wanted to go out and play {at}.", "{hP} wanted to visit {f} {at}. {said}", "{said} {hP} looked out of the window.")
    s.say("\"Take your {o},\" said {e}.", "\"Do not forget your {o},\" {e} told {ho}.", "{E} held out {a_cure}.")
    if ready:
        s.say("{h} did as {ep} said and took the {o}.", "\"Yes, I will,\" said {h}, and {hp} put the {o} in {hs} bag.")
        s.paragraph()
        s.say("{at} {hp} met {ff}. {f} had no {o} and was {fx}.", "{ff} was {at} too, but without {a_cure}. Soon {fp} was {fx}.")
        s.say("{h} shared the {o} with {f}.", "\"We can both use my {o},\" said {h}.", "{h} gave {f} the {o} for a while.")
        s.close("it is wise to listen")
        s.ask("Who had no {o}?", "{f} had no {o}.")
    else:
        s.say("\"No, I do not need it,\" said {h}, and off {hp} went.", "But {h} did not listen and left the {o} at home.")
        s.paragraph()
        s.say("Soon {h} was {effect}.", "Before long {hp} was {effect}.", "{at} {hp} stopped, for {hp} was {effect}.")
        s.say("{ff} came by with {a_cure} and took {ho} home.", "\"Where is your {o}?\" asked {f}. \"At home,\" said {h}.",
              "{h} ran all the way back to {e}.")
        s.say("\"I am sorry,\" said {h}. \"Next time I will take my {o}.\"", "After that {h} never forgot the {o} again.")
        s.close("it is wise to listen")
        s.ask("Who had no {o}?", "{h} had no {o}.")
    s.ask("Where did {h} go?", "{h} went to the {place}.")
    s.ask("What should {h} take?", "{h} should take the {o}.")
    s.ask("Who told {h} to take the {o}?", "{e} told {h} to take the {o}.")
    return ("o", "e", "mood")


def grow(s):
    plant = s.rng.choice(sorted(PLANTS))
    days = s.rng.randint(3, 9)
    s.set(o=plant, an_o=an(plant), fruit=PLANTS[plant], days=NUMBERS[days])
    s.meet()
    s.say("{e} gave {ho} {an_o} seed.", "One spring day {hp} found {an_o} seed.", "{hP} had only one {o} seed.")
    s.say("{h} put it in {ac} pot {at}.", "{h} planted it in {ac} pot {at}.")
    s.say("Every day {hp} gave it water.", "{hP} watered it each morning.")
    s.maybe("Nothing happened for {days} days.", "For {days} days {hp} saw only earth.", chance=0.8)
    s.paragraph()
    s.say("\"It will never grow,\" said {ff}.", "\"Why is it so slow?\" asked {h}.", "\"Is the seed asleep?\" {h} asked {e}.")
    s.say("\"You must wait,\" said {e}.", "But {h} did not give up.", "\"Good things need time,\" {e} told {ho}.")
    s.say("Then one morning a green leaf came up.", "At last something green came out of the earth.")
    s.say("It grew and grew, and in the end there was {fruit}.", "By summer the pot held {fruit}.", "After many weeks {hp} had {fruit}.")
    s.maybe("{h} gave it to {e}.", "{h} showed it to {f}.", "\"Look!\" cried {h}. \"It was worth the wait.\"")
    s.close("good things need time")
    s.ask("What did {h} plant?", "{h} planted {an_o} seed.")
    s.ask("What colour was the pot?", "The pot was {colour}.")
    s.ask("Where was the pot?", "The pot was {at}.")
    s.ask("What grew in the pot?", "In the end there was {fruit}.")
    return ("o", "colour")


def carry(s):
    choose_thing(s)
    first, second = s.rng.sample([p for p in sorted(PLACES) if p != s.words["place"]], 2)
    s.set(p1=PLACES[first][0], p2=PLACES[second][0], w1=first)
    s.meet()
    s.say("{e} asked {ho} to take {an_ao} to {ff}.", "{hP} had to bring {an_ao} to {ff}.",
          "\"Please take this {ao} to {f},\" said {e}.")
    s.say("First {hp} looked {p1}, but {f} was not there.", "{hP} went to the {w1}. \"Is {f} here?\" {hp} asked. Nobody knew.")
    s.maybe("Then {hp} looked {p2}. {f} was not there.", "Then {hp} asked a bird {p2}. \"Look {at},\" said the bird.")
    s.maybe("The road was long, and {h} was tired.", "{hP} held the {o} with both hands and did not drop it.")
    s.paragraph()
    s.say("At last {hp} found {f} {at}.", "In the end {f} was {at}.", "{f} was sitting {at}.")
    s.say("\"This {o} is for you,\" said {h}. \"It is from {e}.\"", "\"Look what I have for you,\" said {h}, and {hp} gave {fo} the {ao}.")
    s.say("\"I have always wanted {an_ao}!\" said {f}.", "{f} took the {o} and danced.", "\"Thank you for coming so far,\" said {f}.")
    s.close("a promise is a promise", "it is good to finish what you start")
    s.ask("Who got the {o}?", "{f} got the {o}.")
    s.ask("Who carried the {o}?", "{h} carried the {o}.")
    s.ask("Where was {f}?", "{f} was {at}.")
    if s.words["e"].lower() in s.text().lower():
        s.ask("Who was the {o} from?", "The {o} was from {e}.")
    return ("o", "e")


def race(s):
    choose_thing(s)
    hero_wins = s.rng.random() < 0.5
    s.set(w=s.words["h" if hero_wins else "f"], l=s.words["f" if hero_wins else "h"])
    s.pronouns("w", CHARACTERS[s.words["w"]][0])
    s.pronouns("l", CHARACTERS[s.words["l"]][0])
    s.meet()
    s.say("One day {h} and {ff} had a race {at}.", "\"I am faster than you,\" {ff} told {h}. So they ran a race {at}.")
    s.say("The prize was {an_ao}.", "{E} had {an_ao} for the winner.")
    s.say("\"One, two, three, go!\" said {e}.", "{E} clapped, and they ran.")
    s.paragraph()
    s.say("{l} ran fast at first, but then {lp} fell.", "{l} stopped to rest, and {lp} fell asleep.", "{l} looked back and ran into a fence.")
    s.say("{w} ran on and on and won.", "So {w} won the race.", "{w} did not stop, and {wp} was first.")
    s.say("{w} got the {ao}.", "{E} gave the {o} to {w}.")
    s.maybe("\"Well done,\" said {l}.", "{l} was sad, so {w} let {lo} hold the {o}.", "{w} helped {l} up.", chance=0.8)
    s.close("slow and steady wins", "it is good to try again")
    s.ask("Who won the race?", "{w} won the race.")
    s.ask("Who lost the race?", "{l} lost the race.")
    s.ask("What was the prize?", "The prize was {an_ao}.")
    s.ask("Where was the race?", "The race was {at}.")
    return ("o", "adj")


def blame(s):
    noun = s.rng.choice(["cup", "vase", "window", "plate", "jar", "lamp", "chair", "clock"])
    s.set(o=noun)
    s.meet()
    s.friend()
    s.say("\"Do not play near the {o},\" said {e}.", "{E} had {ac} {o} and loved it very much.", "{E} told {ho} not to touch the {colour} {o}.")
    s.say("But {h} ran and jumped, and the {o} broke.", "But {hp} threw a ball, and it hit the {o}. Crash!", "But {h} pushed the {o} by accident, and it broke.")
    s.say("{h} was afraid and hid {at}.", "{h} felt bad and ran away to hide {at}.")
    s.paragraph()
    s.say("\"Who broke my {o}?\" asked {e}.", "\"Was it you who broke the {o}, {f}?\" asked {e}.")
    if s.rng.random() < 0.5:
        s.say("\"It was not me,\" said {ff}.", "{ff} said nothing.")
    s.say("Then {h} came out. \"It was me,\" {hp} said. \"I am sorry.\"", "{h} could not stay quiet. \"I broke it,\" {hp} said.")
    s.say("{E} was not angry. \"Thank you for telling the truth,\" {ep} said.", "{E} hugged {ho}. \"We can get a new {o},\" {ep} said.")
    s.maybe("{h} and {f} swept the floor together.", "{h} helped to clean up.")
    s.close("it is best to tell the truth")
    s.ask("Who broke the {o}?", "{h} broke the {o}.")
    s.ask("Whose {o} was it?", "It was the {o} of {e}.")
    s.ask("Where did {h} hide?", "{h} hid {at}.")
    s.ask("What did {h} break?", "{h} broke the {o}.")
    return ("o", "e")


PLOTS = [lost, swap, mend, share, rescue, bake, seek, fear, weather, grow, carry, race, blame]


def tell(rng):
    """One story and its key."""
    story = Story(rng)
    plot = rng.choice(PLOTS)
    fields = plot(story)
    key = "|".join([plot.__name__, story.words["h"], story.words["f"], story.words["place"]] + [story.words[f] for f in fields])
    return story, key


def stories(split, seed, limit=10**9):
    """The stories of a split, without end: those whose key falls in the split's buckets."""
    rng = random.Random(f"{split}/{seed}")
    while True:
        story, key = tell(rng)
        if zlib.crc32(key.encode()) % 100 in BUCKETS[split] and len(story.text()) <= limit:
            yield story


def write_text(path, split, seed, size):
    """Documents of one split until the file has at least size bytes."""
    parts, total = [], 0
    for story in stories(split, seed):
        parts.append(story.text() + f"\n{END}\n")
        total += len(parts[-1])
        if total >= size:
            break
    path.write_text("".join(parts), encoding="utf-8")


def write_task(path, split, seed, rows):
    """Rows of a short story with one question; the completion is the answer as a sentence."""
    with path.open("w", encoding="utf-8") as out:
        for _, story in zip(range(rows), stories(split, seed, limit=400)):
            question, answer = story.rng.choice(story.questions)
            out.write(json.dumps({"prompt": f"{story.text()}\n\n{question}", "completion": " " + answer}) + "\n")


def main():
    parser = argparse.ArgumentParser(description="write the stories and the task of the model in models/")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="a folder; text/ and task/ are written in it")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for name in ("text", "task"):
        (arguments.out / name).mkdir(parents=True, exist_ok=True)
    for part, size in (("train", 300_000), ("valid", 60_000), ("test", 60_000)):
        write_text(arguments.out / "text" / f"{part}.txt", f"text-{part}", arguments.seed, size)
    for part, rows in (("train", 1500), ("valid", 200), ("test", 200)):
        write_task(arguments.out / "task" / f"{part}.jsonl", f"task-{part}", arguments.seed, rows)


if __name__ == "__main__":
    main()
